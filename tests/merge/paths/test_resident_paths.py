"""Paths in a resident model: its layers follow each child's, and it computes what a file would."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as t
from transformers import PreTrainedModel

from stages.errors import RecipeError
from stages.merge.outputs.model_folder import ResidentSink, write_model
from stages.merge.plan.planner import plan
from tests.merge.architecture.families import FAMILIES as ALL
from tests.merge.architecture.families import SMALL, load, logits
from tests.merge.paths.literal_pass import TOKENS
from tests.merge.paths.test_gains import FAMILIES, PATH, path_recipe, two_models

SHORT = [(1, 2, 1.0, 1.0), (0, 0, 0.7, 1.0)]
WHOLE = [(0, 0, 1.0, 1.0), (0, 1, 1.0, 1.0), (0, 2, 1.0, 1.0)]


@torch.no_grad()
def logits_of(model: PreTrainedModel) -> torch.Tensor:
    """Return a model's logits."""
    says: torch.Tensor = model(input_ids=TOKENS).logits
    return says


def said(model: PreTrainedModel) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a model's logits, and what it writes with a cache."""
    asked: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None}
    return logits_of(model), model.generate(TOKENS, **asked)


@pytest.mark.parametrize(
    "family", ["llama_tied_with_biases", "gemma3", "gpt2", "gpt_neo", "gpt_neox", "qwen3_moe"]
)
def test_resident_path_computes_what_its_checkpoint_computes(family: str, tmp_path: Path) -> None:
    """A long path, a short one, the whole model and the long one again: bit for bit, in turn."""
    config, kind, _ = FAMILIES[family]
    models = two_models(config, kind, tmp_path)
    resident = load(models[0].folder)
    sink = ResidentSink(resident)
    written = []
    for number, path in enumerate((PATH, SHORT, WHOLE)):
        planned = plan(path_recipe(models, path), models)
        folder = tmp_path / f"path-{number}"
        digest = write_model(planned, folder, shard_bytes=1 << 20)
        written.append((planned, digest, said(load(folder))))
    for planned, digest, texts in (*written, written[0]):
        assert sink.load(planned) == digest
        for actual, expected in zip(said(resident), texts, strict=True):
            assert torch.equal(actual, expected)


@pytest.mark.parametrize("family", ["llama_tied_with_biases", "qwen3_moe"])
def test_hops_of_equal_contents_share_memory(family: str, tmp_path: Path) -> None:
    """A layer that runs again with the same gains is not held twice, and computes the same."""
    config, kind, _ = FAMILIES[family]
    models = two_models(config, kind, tmp_path)
    resident = load(models[0].folder)
    sink = ResidentSink(resident)
    again, damped = (0, 1, 1.0, 1.0), (0, 1, 0.5, 0.5)
    for number, (path, num_layers) in enumerate(
        (
            ([WHOLE[0], again, again, again, WHOLE[2]], 3),
            ([WHOLE[0], damped, damped, again, (1, 1, 1.0, 1.0)], 4),
            (WHOLE, 3),
        )
    ):
        planned = plan(path_recipe(models, path), models)
        folder = tmp_path / f"path-{number}"
        assert sink.load(planned) == write_model(planned, folder, shard_bytes=1 << 20)
        layers = resident.get_decoder().layers
        assert len(layers) == len(path)
        homes = [next(layer.parameters()).data_ptr() for layer in layers]
        assert len({*homes}) == num_layers
        for actual, expected in zip(said(resident), said(load(folder)), strict=True):
            assert torch.equal(actual, expected)


KINDS = ["sliding_attention", "full_attention", "sliding_attention", "full_attention"]
MIXED = {**SMALL, "num_hidden_layers": 4, "head_dim": 8, "sliding_window": 3}


def hops(*layers: tuple[int, int]) -> list[tuple[int, int, float, float]]:
    """Return hops without gains: (ancestor, layer) of each."""
    return [(ancestor, layer, 1.0, 1.0) for ancestor, layer in layers]


def test_layers_of_several_kinds_leave_nothing_behind(tmp_path: Path) -> None:
    """What a place in memory holds is known by the place: a tensor's changes with the kinds."""
    config = t.Gemma3TextConfig(**MIXED, layer_types=KINDS)
    models = two_models(config, "Gemma3ForCausalLM", tmp_path)
    resident = load(models[0].folder)
    sink = ResidentSink(resident)
    first = hops((0, 0), (0, 2), (0, 1), (1, 3))
    written = []
    for number, path in enumerate((first, hops((0, 0), (1, 1)))):
        planned = plan(path_recipe(models, path), models)
        folder = tmp_path / f"path-{number}"
        digest = write_model(planned, folder, shard_bytes=1 << 20)
        written.append((planned, digest, logits_of(load(folder))))
    for planned, digest, expected in (*written, written[0]):
        assert sink.load(planned) == digest
        assert torch.equal(logits_of(resident), expected)


def test_layers_that_only_their_tensors_tell_apart_are_kinds_of_their_own(tmp_path: Path) -> None:
    """A path with more layers of experts than the model, whose config lists nothing of them."""
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8}
    config = t.AfmoeConfig(
        **{**MIXED, "num_hidden_layers": 3},
        **experts,
        num_dense_layers=1,
        layer_types=["full_attention"] * 3,
    )
    models = two_models(config, "AfmoeForCausalLM", tmp_path)
    resident = load(models[0].folder)
    sink = ResidentSink(resident)
    damped = [(0, 2, 0.5, 0.5), (1, 2, 0.5, 0.5), (1, 1, 1.0, 1.0)]
    for number, path in enumerate(([*WHOLE[:2], *damped], WHOLE, [*WHOLE[:2], *damped[:1]])):
        planned = plan(path_recipe(models, path), models)
        folder = tmp_path / f"path-{number}"
        assert sink.load(planned) == write_model(planned, folder, shard_bytes=1 << 20)
        for actual, expected in zip(said(resident), said(load(folder)), strict=True):
            assert torch.equal(actual, expected)


def test_kinds_that_take_turns_follow_a_path(tmp_path: Path) -> None:
    """RecurrentGemma's config lists a cycle of kinds, the child's an entry for each layer."""
    config = t.RecurrentGemmaConfig(
        **{**MIXED, "num_hidden_layers": 4}, attention_window_size=4, lru_width=16
    )
    models = two_models(config, "RecurrentGemmaForCausalLM", tmp_path)
    resident = load(models[0].folder)
    sink = ResidentSink(resident)
    for number, layers in enumerate(([(0, 0), (1, 2), (0, 2), (1, 3)], [(1, 1), (0, 2)])):
        planned = plan(path_recipe(models, hops(*layers)), models)
        folder = tmp_path / f"path-{number}"
        assert sink.load(planned) == write_model(planned, folder, shard_bytes=1 << 20)
        for actual, expected in zip(said(resident), said(load(folder)), strict=True):
            assert torch.equal(actual, expected)


def test_refused_path_leaves_the_layers_as_they_were(tmp_path: Path) -> None:
    """A kind that the model has no layer of is found before any layer is moved."""
    full = t.Gemma3TextConfig(**MIXED, layer_types=["full_attention"] * 4)
    mixed = t.Gemma3TextConfig(**MIXED, layer_types=KINDS)
    models = [
        two_models(full, "Gemma3ForCausalLM", tmp_path / "full")[0],
        two_models(mixed, "Gemma3ForCausalLM", tmp_path / "mixed")[1],
    ]
    resident = load(models[0].folder)
    sink = ResidentSink(resident)
    with pytest.raises(RecipeError, match="layer 1 is of a kind"):
        sink.load(plan(path_recipe(models, hops((0, 0), (1, 0), (0, 2), (0, 3))), models))
    planned = plan(path_recipe(models, hops((0, 0), (1, 1), (0, 2), (0, 3))), models)
    write_model(planned, tmp_path / "child", shard_bytes=1 << 20)
    sink.load(planned)
    for actual, expected in zip(said(resident), said(load(tmp_path / "child")), strict=True):
        assert torch.equal(actual, expected)


def test_tower_of_as_many_layers_is_not_the_language_model(tmp_path: Path) -> None:
    """A vision-language model whose tower is as deep as its text model takes a longer path."""
    name, config = ALL["llava"]
    deep = config()
    deep.vision_config.num_hidden_layers = deep.text_config.num_hidden_layers
    models = two_models(deep, name, tmp_path)
    path = path_recipe(models, hops((0, 0), (1, 1), (0, 1)))
    modules = (replace(path.layers[0], module="language_model"),)
    planned = plan(replace(path, layers=modules), models)
    resident = load(models[0].folder)
    assert ResidentSink(resident).load(planned) == write_model(
        planned, tmp_path / "child", shard_bytes=1 << 20
    )
    assert torch.equal(logits(resident), logits(load(tmp_path / "child")))
