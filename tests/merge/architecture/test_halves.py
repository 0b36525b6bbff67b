"""Encoder-decoders by a MergeKit file: layers of both halves can be dropped, repeated, moved."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import PretrainedConfig, PreTrainedModel

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.engine.tensor_ranges import merge
from stages.merge.outputs.model_folder import write_model
from tests.merge.architecture.families import load, logits, scatter
from tests.merge.architecture.test_tensor_matching import changed
from tests.merge.mergekit.llamas import Lowered, lowered

SIZES: dict[str, Any] = {"vocab_size": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_T5 = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_heads": 2, "decoder_start_token_id": 0}
_BART = {
    "d_model": 16,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "max_position_embeddings": 32,
    "decoder_start_token_id": 2,
}
_GEMMA = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 24,
    "head_dim": 8,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32,
}
FULL, NEAR = "full_attention", "sliding_attention"


def _t5gemma() -> PretrainedConfig:
    kinds = {"encoder": [NEAR, FULL], "decoder": [FULL, NEAR, NEAR]}
    halves = {
        half: {**_GEMMA, "layer_types": kind, "num_hidden_layers": len(kind)}
        for half, kind in kinds.items()
    }
    return transformers.T5GemmaConfig(**halves, **SIZES)


# The class, a config with two layers in the encoder and three in the decoder, and where they are.
FAMILIES: dict[str, tuple[str, Callable[[], PretrainedConfig], str]] = {
    "t5": (
        "T5ForConditionalGeneration",
        lambda: transformers.T5Config(**_T5, **SIZES, num_layers=2, num_decoder_layers=3),
        "{}.block",
    ),
    "bart": (
        "BartForConditionalGeneration",
        lambda: transformers.BartConfig(**_BART, **SIZES, encoder_layers=2, decoder_layers=3),
        "model.{}.layers",
    ),
    "t5gemma": ("T5GemmaForConditionalGeneration", _t5gemma, "model.{}.layers"),
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Checkpoint]]:
    """Two models of each family, in float32."""
    root = tmp_path_factory.mktemp("halves")
    models = {}
    for family, (kind, config, _) in FAMILIES.items():
        for seed in (1, 2):
            model: PreTrainedModel = getattr(transformers, kind)(config())
            scatter(model, 0, 0.3)
            scatter(model, seed, 0.1)
            model.save_pretrained(root / family / str(seed))
        models[family] = [Checkpoint(root / family / str(seed)) for seed in (1, 2)]
    return models


Ranges = list[tuple[int, int]]


def stacked(models: list[Checkpoint], encoder: Ranges, decoder: Ranges) -> Lowered:
    """Return the plan of a linear merge of two models, or of one as it is, with these layers."""
    method, values = (
        ("linear", "parameters: {weight: 0.5}\n") if len(models) > 1 else ("passthrough", "")
    )

    def half(ranges: Ranges) -> str:
        slices = [
            ", ".join(f"{{model: {m.folder}, layer_range: [{i}, {j}]}}" for m in models)
            for i, j in ranges
        ]
        return f"{{slices: [{', '.join(f'{{sources: [{s}]}}' for s in slices)}]}}"

    modules = f"{{encoder: {half(encoder)}, decoder: {half(decoder)}}}"
    return lowered(f"merge_method: {method}\n{values}modules: {modules}", Path())


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_of_both_halves_are_rearranged(
    family: str, pairs: dict[str, list[Checkpoint]], tmp_path: Path
) -> None:
    """An encoder with a layer twice and a decoder that lacks one; transformers loads the child."""
    encoder, decoder = [0, 1, 1], [0, 2]
    plan = stacked(pairs[family], [(0, 2), (1, 2)], [(0, 1), (2, 3)]).plan
    child = dict(merge(plan))
    plain = dict(merge(stacked(pairs[family], [(0, 2)], [(0, 3)]).plan))
    path = FAMILIES[family][2]
    for half, layers in (("encoder", encoder), ("decoder", decoder)):
        stem = path.format(half)
        for position, layer in enumerate(layers):
            taken = {n: t for n, t in plain.items() if n.startswith(f"{stem}.{layer}.")}
            assert taken
            for name, tensor in taken.items():
                moved = name.replace(f"{stem}.{layer}.", f"{stem}.{position}.", 1)
                assert torch.equal(tensor, child.pop(moved))
    outside = {n: t for n, t in plain.items() if not _in_layer(n, path)}
    assert outside.keys() == child.keys()
    assert all(torch.equal(tensor, child[name]) for name, tensor in outside.items())

    write_model(plan, tmp_path / "child", shard_bytes=10**9)
    assert torch.isfinite(logits(load(tmp_path / "child"))).all()


def _in_layer(name: str, path: str) -> bool:
    return any(name.startswith(f"{path.format(half)}.") for half in ("encoder", "decoder"))


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_a_rearranged_encoder_says_what_its_layers_say(
    family: str, pairs: dict[str, list[Checkpoint]], tmp_path: Path
) -> None:
    """The child's encoder is the model's, run over those layers in that order."""
    one = pairs[family][0]
    write_model(
        stacked([one], [(0, 2), (1, 2)], [(0, 3)]).plan, tmp_path / "child", shard_bytes=10**9
    )
    model, child = load(one.folder), load(tmp_path / "child")
    stack = model.get_submodule(FAMILIES[family][2].format("encoder"))
    assert isinstance(stack, torch.nn.ModuleList)
    stack.append(stack[1])
    tokens = torch.tensor([[5, 9, 17, 3], [8, 4, 40, 11]])
    with torch.no_grad():
        expected, rearranged = (m.get_encoder()(tokens).last_hidden_state for m in (model, child))
    assert torch.equal(expected, rearranged)


def test_the_config_counts_each_half(pairs: dict[str, list[Checkpoint]], tmp_path: Path) -> None:
    """Numbers and kinds of layers follow the half they are of, older aliases with them."""
    ranges: tuple[Ranges, Ranges] = ([(0, 2), (1, 2)], [(0, 1), (2, 3)])
    config = stacked(pairs["t5"][:1], *ranges).plan.config
    assert (3, 2) == (config["num_layers"], config["num_decoder_layers"])
    bart = changed(pairs["bart"][0], tmp_path / "bart", dict, num_hidden_layers=2)
    config = stacked([bart], *ranges).plan.config
    assert [3, 2, 3] == [
        config[key] for key in ("encoder_layers", "decoder_layers", "num_hidden_layers")
    ]
    config = stacked(pairs["t5gemma"][:1], *ranges).plan.config
    assert [NEAR, FULL, FULL] == config["encoder"]["layer_types"]
    assert [FULL, NEAR] == config["decoder"]["layer_types"]
    assert 3 == config["encoder"]["num_hidden_layers"]
    assert 2 == pairs["t5gemma"][0].config["encoder"]["num_hidden_layers"]


@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [([(1, 2)], [(0, 3)]), ([(0, 2), (0, 1)], [(0, 3)]), ([(0, 2)], [(2, 3), (0, 2)])],
)
def test_the_layer_with_the_relative_positions_stays_first(
    encoder: Ranges, decoder: Ranges, pairs: dict[str, list[Checkpoint]]
) -> None:
    """T5 keeps them in layer 0 of each half, for all of its layers."""
    with pytest.raises(RecipeError, match=r"relative_attention_bias\S* Give layer 0 once, as the"):
        stacked(pairs["t5"][:1], encoder, decoder)
    stacked(pairs["bart"][:1], encoder, decoder)


def test_layers_that_the_config_does_not_count_stay(
    pairs: dict[str, list[Checkpoint]], tmp_path: Path
) -> None:
    """T5's older files give one number for both halves, which a change of one would belie."""
    old = changed(pairs["t5"][0], tmp_path / "old", dict, num_decoder_layers=None)
    assert old.config["num_layers"] == stacked([old], [(0, 2)], [(0, 3)]).plan.config["num_layers"]
    with pytest.raises(RecipeError, match="number of layers of the decoder it says nothing"):
        stacked([old], [(0, 1)], [(0, 3)])
    odd = changed(pairs["bart"][0], tmp_path / "odd", dict, num_encoder_layers=4)
    with pytest.raises(RecipeError, match="encoder it says encoder_layers 2, num_encoder_layers"):
        stacked([odd], [(0, 1)], [(0, 3)])
