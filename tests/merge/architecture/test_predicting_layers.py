"""Layers that predict tokens after the next are a module of their own, which is copied."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.architecture.layout import layout_of
from stages.merge.engine.tensor_ranges import merge
from stages.merge.outputs.model_folder import ResidentSink, write_model
from stages.merge.plan.plan import Plan
from stages.merge.plan.planner import plan
from stages.recipe.recipe import Model, ModuleLayers, Recipe, Rule, Slice, Span
from tests.merge.architecture.families import load
from tests.merge.conftest import save_tensors
from tests.merge.recipes import planned, recipe_of

Trees = dict[str, list[Checkpoint]]
# Each model's last layer, and what it is called where it predicts further tokens.
SPELLINGS = {
    "qwen2_vision": ("model.layers.1.", "mtp.layers.0.", "mtp", {}),
    "llava": ("language_model.model.layers.1.", "mtp.layers.0.", "mtp", {}),
    "llama": ("model.layers.1.", "model.mtp_layers.0.", "mtp_layers", {}),
    "qwen3": ("model.layers.1.", "model.layers.2.", "nextn", {"num_nextn_predict_layers": 1}),
}
TOWERS = {"qwen2_vision": "visual.", "llava": "vision_tower."}


def with_more(model: Checkpoint, family: str, folder: Path, shift: float = 0.0) -> Checkpoint:
    """Save a model with one more layer that predicts further tokens."""
    layer, name, _, said = SPELLINGS[family]
    tensors = {n: model.read(n).clone() for n in model.tensors}
    copies = {n: t + shift for n, t in tensors.items() if n.startswith(layer)}
    more = {f"{name}{n.removeprefix(layer)}": t.clone() for n, t in copies.items()}
    projection = {f"{name.split('layers')[0]}fc.weight": torch.full((16, 32), shift)}
    more |= projection if name.startswith("mtp") else {f"{name}eh_proj.weight": torch.ones(16, 32)}
    return save_tensors(folder, tensors | more, json.dumps(model.config | said))


def _sum(base: Checkpoint, *parents: Checkpoint, **other: Any) -> Plan:
    """Return the plan of a base and all of each task vector, in float32."""
    recipe = recipe_of("task_arithmetic", base, [*parents], {"weight": 1.0}, **other)
    return planned(recipe, base, [*parents])


def _merged(base: Checkpoint, *parents: Checkpoint, **other: Any) -> Mapping[str, Tensor]:
    return dict(merge(_sum(base, *parents, dtype="float32", **other)))


def _embedding(folder: Path) -> Tensor:
    model = Checkpoint(folder)
    return model.read(next(name for name in model.tensors if "embed_tokens" in name))


@pytest.mark.parametrize("has_it", [False, True], ids=["without", "with"])
@pytest.mark.parametrize("family", SPELLINGS)
def test_what_predicts_further_is_the_bases(
    family: str, has_it: bool, trees: Trees, tmp_path: Path
) -> None:
    """A fine-tune may have it or have been saved without; the rest is merged as ever."""
    base = with_more(trees[family][0], family, tmp_path / "base")
    one = trees[family][1]
    parent = with_more(one, family, tmp_path / "one", shift=0.5) if has_it else one
    child = _merged(base, parent)
    expected = _merged(trees[family][0], one)
    assert sorted(base.tensors) == sorted(child)
    for name, tensor in child.items():
        assert torch.equal(expected[name] if name in expected else base.read(name), tensor), name
    tower = TOWERS.get(family)
    if tower:
        inside = [name for name in child if name.startswith(tower)]
        assert inside
        assert all(torch.equal(base.read(name), child[name]) for name in inside)


@pytest.mark.parametrize("family", SPELLINGS)
def test_it_is_a_module_that_can_be_named(family: str, trees: Trees, tmp_path: Path) -> None:
    """Named, it is merged; a parent that has none is then named in the error."""
    base = with_more(trees[family][0], family, tmp_path / "base")
    parent = with_more(trees[family][1], family, tmp_path / "one", shift=0.5)
    module = SPELLINGS[family][2]
    assert module in layout_of(base).modules
    child = _merged(base, parent, modules=(module,))
    name = next(n for n in base.tensors if n.startswith(SPELLINGS[family][1]) and "norm" in n)
    torch.testing.assert_close(parent.read(name), child[name])
    with pytest.raises(RecipeError, match=f"has no module {module}, base has it"):
        _merged(base, trees[family][1], modules=(module,))


def test_a_base_without_it_is_told(trees: Trees, tmp_path: Path) -> None:
    """A parent's own would be lost; the message says what it is and what to do."""
    parent = with_more(trees["llama"][1], "llama", tmp_path / "one")
    reason = "base has none: it is of the module mtp_layers.*; make one the base"
    with pytest.raises(RecipeError, match=reason):
        _merged(trees["llama"][0], parent)


@pytest.mark.parametrize("family", SPELLINGS)
def test_transformers_loads_the_child_and_a_resident_takes_it(
    family: str, trees: Trees, tmp_path: Path
) -> None:
    """Transformers passes over what predicts further; the hash is the written child's."""
    base = with_more(trees[family][0], family, tmp_path / "base")
    merge_plan = _sum(base, trees[family][1], dtype="float32")
    written = write_model(merge_plan, tmp_path / "child", shard_bytes=10**9)
    assert written == ResidentSink(load(trees[family][0].folder)).load(merge_plan)
    kind = getattr(transformers, merge_plan.config["architectures"][0])
    loaded, report = kind.from_pretrained(tmp_path / "child", output_loading_info=True)
    assert not report["missing_keys"]
    assert torch.equal(loaded.get_input_embeddings().weight, _embedding(tmp_path / "child"))


def test_layers_beyond_stay_behind_a_stack(trees: Trees, tmp_path: Path) -> None:
    """DeepSeek's extra layer is numbered on from those that the child has."""
    base = with_more(trees["qwen3"][0], "qwen3", tmp_path / "base")
    spans = (Span(0, 0, 2), Span(0, 1, 2))
    layers = (ModuleLayers("default", tuple(Slice((span,), None) for span in spans)),)
    recipe = Recipe(
        "passthrough", (Model("base", base.hash()),), (Rule({}),), parents=(), layers=layers
    )
    child = dict(merge(plan(recipe, [base])))
    assert torch.equal(child["model.layers.3.eh_proj.weight"], torch.ones(16, 32))
    name = "self_attn.q_proj.weight"
    assert torch.equal(child[f"model.layers.2.{name}"], base.read(f"model.layers.1.{name}"))
    assert len(base.tensors) + len([n for n in base.tensors if ".layers.1." in n]) == len(child)


def test_a_language_model_and_a_tower_in_one_part(tmp_path: Path) -> None:
    """Where one part of a model holds both, and another part stands next to it, they are told."""
    depths = {"thinker.model.layers": 2, "thinker.visual.blocks": 3, "talker.model.layers": 4}
    tensors = {
        f"{path}.{i}.mlp.up.weight": torch.ones(2, 2)
        for path, depth in depths.items()
        for i in range(depth)
    } | {"thinker.lm_head.weight": torch.ones(8, 2)}
    text = {"num_hidden_layers": 2, "vocab_size": 8}
    config = {"text_config": text, "vision_config": {"depth": 3}}
    layout = layout_of(save_tensors(tmp_path / "m", tensors, json.dumps(config)))
    assert layout.main == "model"
    assert {"model", "visual", "talker"} == {*layout.modules}
    assert layout.is_kept("thinker.visual.blocks.0.mlp.up.weight")
    assert not layout.is_kept("thinker.lm_head.weight")
