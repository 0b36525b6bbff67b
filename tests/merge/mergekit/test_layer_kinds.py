"""Layers of several kinds in a stack: lists follow them, and a rule of their numbers must hold."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from stages.errors import RecipeError
from stages.merge.architecture.layer_kinds import check_kinds, entry_lists, number_lists
from tests.merge.mergekit.llamas import lowered
from tests.merge.mergekit.test_to_recipe import faults_of


def odd_one(root: Path, folder: Path, odd: Sequence[int], **config: Any) -> None:
    """Save the model one with another tensor in the layers ``odd``, and more in its config."""
    shutil.copytree(root / "one", folder)
    tensors = load_file(folder / "model.safetensors")
    for layer in odd:
        stem = f"model.layers.{layer}.mlp"
        tensors[f"{stem}.gate.weight"] = tensors.pop(f"{stem}.gate_proj.weight")
    save_file(tensors, folder / "model.safetensors")
    said = json.loads((folder / "config.json").read_text()) | config
    (folder / "config.json").write_text(json.dumps(said))


def stack_of(*layers: tuple[int, int]) -> str:
    """Return a document that puts stretches of the model odd on top of each other."""
    slices = [f"{{sources: [{{model: $odd, layer_range: {list(r)}}}]}}" for r in layers]
    return f"merge_method: passthrough\nslices: [{', '.join(slices)}]"


@pytest.mark.parametrize("layers", [[(0, 1), (0, 4)], [(1, 4)], [(1, 4), (0, 1)]])
def test_a_kind_told_by_number_alone_stays_where_it_is(
    layers: list[tuple[int, int]], root: Path, tmp_path: Path
) -> None:
    """Where the first layer alone is dense, no other may be first, and none after it be dense."""
    odd_one(root, tmp_path / "odd", [0], first_k_dense_replace=1)
    faults = faults_of(stack_of(*layers), tmp_path)
    assert any("a layer where one of another kind would be" in fault for fault in faults)


def test_a_rule_of_numbers_goes_on_above_the_model(root: Path, tmp_path: Path) -> None:
    """More layers of the last kind, or of kinds that take turns, are as the rule has them."""
    odd_one(root, tmp_path / "first" / "odd", [0], first_k_dense_replace=1)
    plan = lowered(stack_of((0, 4), (1, 4), (2, 4)), tmp_path / "first").plan
    assert 9 == plan.config["num_hidden_layers"]
    odd_one(root, tmp_path / "turns" / "odd", [1, 3], expert_layer_period=2)
    plan = lowered(stack_of((0, 4), (2, 4)), tmp_path / "turns").plan
    assert 6 == plan.config["num_hidden_layers"]
    with pytest.raises(RecipeError, match="another kind"):
        lowered(stack_of((0, 4), (1, 4)), tmp_path / "turns")


def test_lists_of_kinds_follow_the_layers(root: Path, tmp_path: Path) -> None:
    """What a list tells may change places: numbers of layers, and an entry for each."""
    odd_one(root, tmp_path / "odd", [1, 3], moe_layers=[1, 3], intermediate_size=[1, 2, 3, 4])
    plan = lowered(stack_of((0, 4), (1, 4)), tmp_path).plan
    assert [1, 3, 4, 6] == plan.config["moe_layers"]
    assert [1, 2, 3, 4, 2, 3, 4] == plan.config["intermediate_size"]


def test_flags_of_layers_are_not_numbers_of_layers() -> None:
    """A list of as many flags as layers has an entry for each; one that rises names them."""
    section = {"no_rope_layers": [0, 1], "window_list": [1, 2]}
    assert ["no_rope_layers"] == entry_lists(section, 2)
    assert [] == number_lists(section, 2)
    assert ["moe_layers"] == number_lists({"moe_layers": [0, 1, 2]}, 3)
    assert [] == number_lists({"layer_scales": [0, 2.5]}, 3)


def test_kinds_that_lists_do_not_tell_are_an_error() -> None:
    """Two layers of which a list says the same are of one kind."""
    dense, sparse = frozenset({"mlp.up"}), frozenset({"mlp.experts.0.up"})
    frame = ({"layer_types": ["a", "b", "b"]}, [dense, sparse, sparse])
    check_kinds(frame, ({"layer_types": ["b", "a"]}, [sparse, dense]))
    with pytest.raises(RecipeError, match=r"^layers differ in the tensors"):
        check_kinds(frame, ({"layer_types": ["b", "a"]}, [sparse, sparse]))
