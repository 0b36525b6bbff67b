"""Layers, modules and components of many architectures, told from their tensors' names."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch

from stages.checkpoint.reader import Checkpoint
from stages.errors import CheckpointError
from stages.merge.architecture.components import component_of, is_buffer
from stages.merge.architecture.layout import layout_of
from tests.merge.architecture.families import FAMILIES, TEXT
from tests.merge.conftest import save_tensors

Trees = dict[str, list[Checkpoint]]

# What each family's layers hold: (attention, mlp) tensors of one layer; the rest is norms.
PARTS = {
    "llama": (4, 3),
    "mistral": (4, 3),
    "qwen2": (7, 3),
    "qwen3": (6, 3),
    "gemma2": (4, 3),
    "gemma3": (6, 3),
    "phi3": (2, 2),
    "gpt2": (4, 4),
    "gpt_neox": (4, 4),
    "olmo2": (6, 3),
    "mixtral": (4, 4 * 3 + 1),
    "qwen3_moe": (6, 4 * 3 + 1),
    "mamba": (0, 0),
    "bert": (10, 4),
}
MODULES = {
    "t5": {"decoder": 3, "encoder": 2},
    "llava": {"language_model": 2, "multi_modal_projector": 0, "vision_tower": 3},
    "gemma3_vision": {"language_model": 2, "multi_modal_projector": 0, "vision_tower": 3},
    "qwen2_vision": {"model": 2, "visual": 3},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_and_modules_are_counted(family: str, trees: Trees) -> None:
    """Each module has the layers that its config gave it; a lone one is called default."""
    layout = layout_of(trees[family][0])
    expected = MODULES.get(family, {"default": 2})
    assert expected == {module: layout.num_layers_of(module) for module in layout.modules}
    assert next(iter(expected)) == layout.main
    assert (family in MODULES and family != "t5") == layout.is_composite
    assert (3 if family == "t5" else 2) == layout.num_layers


@pytest.mark.parametrize("family", FAMILIES)
def test_every_layer_holds_the_same_tensors(family: str, trees: Trees) -> None:
    """A tensor is in one layer or in none, and a layer's twin in another layer has its shape."""
    checkpoint = trees[family][0]
    layout = layout_of(checkpoint)
    for name, info in checkpoint.tensors.items():
        layer = layout.layer_of(name)
        assert layer is None or not layout.is_before(name)
        if layer is None:
            continue
        assert layout.renamed(name, layer) == name
        twin = layout.renamed(name, 1)
        assert layout.layer_of(twin) == 1
        if "relative_attention_bias" not in name:  # T5 has it in its first layers alone
            assert info == checkpoint.tensors[twin]


@pytest.mark.parametrize("family", PARTS)
def test_components_are_told_from_names(family: str, trees: Trees) -> None:
    """Attention and mlp hold what the architecture puts there, experts and routers too."""
    checkpoint = trees[family][0]
    layout = layout_of(checkpoint)
    inner = [name for name in checkpoint.tensors if layout.layer_of(name) == 1]
    counts = Counter(layout.component_of(name) for name in inner)
    assert PARTS[family] == (counts["attention"], counts["mlp"])
    assert len(inner) == counts.total()


@pytest.mark.parametrize("family", TEXT)
def test_embeddings_come_before_the_layers(family: str, trees: Trees) -> None:
    """Embeddings are before the layers; final norms and heads after."""
    layout = layout_of(trees[family][0])
    early = {name for name in layout.names if layout.is_before(name)}
    assert {n for n in layout.vocabulary if "head" not in n and "out" not in n} <= early
    assert {name for name in layout.names if layout.layer_of(name) is None} > early
    assert not any("norm" in name for name in early if "embeddings" not in name)


NAMES = {
    "model.layers.3.self_attn.q_proj.weight": "attention",
    "model.layers.12.mlp.down_proj.weight": "mlp",
    "model.layers.0.post_attention_layernorm.weight": "rest",
    "model.layers.5.block_sparse_moe.experts.7.w1.weight": "mlp",
    "model.layers.5.mlp.experts.gate_up_proj": "mlp",
    "model.layers.1.feed_forward.w2.weight": "mlp",
    "model.layers.1.feed_forward.router.weight": "mlp",
    "model.decoder.layers.1.encoder_attn_layer_norm.weight": "rest",
    "model.decoder.layers.1.encoder_attn.q_proj.weight": "attention",
    "model.decoder.layers.1.fc1.weight": "mlp",
    "encoder.layers.4.attention.wqkv.weight": "attention",
    "decoder.block.0.layer.2.DenseReluDense.wo.weight": "mlp",
    "attention_model.layers.0.mlp.up_proj.weight": "mlp",
    "backbone.layers.0.mixer.in_proj.weight": "rest",
    "model.norm.weight": "rest",
    "lm_head.weight": "rest",
}


@pytest.mark.parametrize("name", NAMES)
def test_words_of_a_path_tell_the_component(name: str) -> None:
    """The first word after the layer that says attention, mlp or norm decides."""
    assert NAMES[name] == component_of(name)


def test_buffers_are_known_by_name_and_shape() -> None:
    """Frequencies, position ids and causal masks are constants; a bias is a weight."""
    assert is_buffer("model.layers.0.self_attn.rotary_emb.inv_freq", (4,))
    assert is_buffer("bert.embeddings.position_ids", (1, 512))
    assert is_buffer("h.0.attn.bias", (1, 1, 32, 32))
    assert is_buffer("h.0.attn.masked_bias", ())
    assert not is_buffer("h.0.attn.c_attn.bias", (48,))


STACKS = {
    "experts are not layers": (
        {"num_hidden_layers": 2},
        ["layers.0.mlp.experts.5.up.weight", "layers.1.mlp.experts.0.up.weight"],
        {"layers": 2},
    ),
    "a further layer that the config counts apart": (
        {"num_hidden_layers": 2, "num_nextn_predict_layers": 1},
        ["model.layers.0.a.0.b.weight", "model.layers.1.a.0.b.weight", "model.layers.2.eh.weight"],
        {"model.layers": 2},
    ),
    "a further layer that the config does not count": (
        {"num_hidden_layers": 2},
        ["model.layers.0.a.0.b.weight", "model.layers.1.a.0.b.weight", "model.layers.2.eh.weight"],
        {"model.layers": 3},
    ),
    "layers inside a numbered tower": (
        {"num_hidden_layers": 3},
        [f"towers.0.layers.{layer}.norm.weight" for layer in range(3)],
        {"towers.0.layers": 3},
    ),
    "a Sequential": ({}, ["layers.0.a.weight", "mlp.0.weight", "mlp.2.bias"], {"layers": 1}),
    "numbers at the start": ({}, ["0.mlp.weight", "1.mlp.weight"], {"": 2}),
    "two runs of one module": (
        {},
        ["model.vision.blocks.0.a.b", "model.vision.late.0.a.b", "model.text.layers.0.a.b"],
        {"model.text.layers": 1, "model.vision.blocks": 1, "model.vision.late": 1},
    ),
}


@pytest.mark.parametrize("case", STACKS)
def test_one_number_of_a_name_counts_layers(case: str, tmp_path: Path) -> None:
    """It is the outermost, unless the config gives its count to a longer run inside it."""
    config, names, expected = STACKS[case]
    tensors = {name: torch.ones(2) for name in names}
    layout = layout_of(save_tensors(tmp_path / "m", tensors, json.dumps(config)))
    assert expected == {path: stack.num_layers for path, stack in layout.stacks.items()}
    layered = [name for name in names if layout.layer_of(name) is not None]
    assert layered
    assert all(layout.renamed(name, layout.layer_of(name) or 0) == name for name in layered)


def test_a_tensor_outside_the_layers_has_no_twin(trees: Trees) -> None:
    """Renaming what is in no layer is an error."""
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight is in no layer"):
        layout_of(trees["llama"][0]).renamed("model.norm.weight", 1)
