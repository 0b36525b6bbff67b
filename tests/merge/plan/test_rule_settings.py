"""Rules: the first that matches a tensor gives its values."""

from pathlib import Path

import torch

from stages.merge.architecture.layout import layout_of
from stages.merge.plan.rule_settings import place_of
from stages.recipe.recipe import Rule
from tests.merge.conftest import save_tensors


def test_first_matching_rule_wins(tmp_path: Path) -> None:
    """Rules are tried in order; layers are half-open; outside the layers only None matches."""
    rules = (Rule({}, layers=(1, 2)), Rule({}, component="mlp"), Rule({}, layers=(0, 2)))
    names = [f"model.layers.{layer}.mlp.up_proj.weight" for layer in range(3)]
    layout = layout_of(save_tensors(tmp_path / "m", {name: torch.ones(2) for name in names}))
    assert 0 == place_of("model.layers.1.mlp.up_proj.weight", rules, layout)
    assert 1 == place_of("model.layers.2.mlp.up_proj.weight", rules, layout)
    assert 2 == place_of("model.layers.0.self_attn.q_proj.weight", rules, layout)
    assert place_of("model.norm.weight", rules, layout) is None
