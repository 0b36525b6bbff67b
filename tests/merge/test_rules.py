"""Tensor names: which layer and which component they belong to, in several architectures."""

import pytest

from stages.merge.rules import component_of, layer_of, place_of
from stages.recipe import Rule

NAMES = {
    "model.layers.3.self_attn.q_proj.weight": (3, "attention"),
    "model.layers.12.mlp.down_proj.weight": (12, "mlp"),
    "model.layers.0.input_layernorm.weight": (0, "rest"),
    "model.layers.5.block_sparse_moe.experts.7.w1.weight": (5, "mlp"),
    "model.layers.5.mlp.experts.7.up_proj.weight": (5, "mlp"),
    "model.layers.1.feed_forward.w2.weight": (1, "mlp"),
    "transformer.h.2.attn.c_attn.weight": (2, "attention"),
    "model.layers.4.attention.wqkv.weight": (4, "attention"),
    "gpt_neox.layers.9.attention.dense.bias": (9, "attention"),
    "h.2.mlp.c_fc.weight": (2, "mlp"),
    "model.language_model.layers.6.self_attn.o_proj.weight": (6, "attention"),
    "model.embed_tokens.weight": (None, "rest"),
    "model.norm.weight": (None, "rest"),
    "lm_head.weight": (None, "rest"),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_tell_layer_and_component(name: str) -> None:
    """The first number after layers, h or blocks is the layer; the rest decides the component."""
    assert NAMES[name] == (layer_of(name), component_of(name))


def test_first_matching_rule_wins() -> None:
    """Rules are tried in order; layers are half-open; outside the layers only None matches."""
    rules = (Rule({}, layers=(1, 2)), Rule({}, component="mlp"), Rule({}, layers=(0, 2)))
    assert 0 == place_of("model.layers.1.mlp.up_proj.weight", rules)
    assert 1 == place_of("model.layers.2.mlp.up_proj.weight", rules)
    assert 2 == place_of("model.layers.0.self_attn.q_proj.weight", rules)
    assert place_of("model.norm.weight", rules) is None
