"""Filters that meet no tensor are told, at every level; those that do are not."""

import re
from pathlib import Path

import pytest

from tests.merge.architecture.families import make
from tests.merge.mergekit.llamas import lowered
from tests.merge.mergekit.test_to_recipe import faults_of

TEXT = """merge_method: linear
slices:
- sources:
  - model: $one
    layer_range: [0, 4]
    parameters: {weight: [{filter: self_attm, value: 1}, {filter: mlp, value: 2}, {value: 3}]}
  - {model: $two, layer_range: [0, 4], parameters: {weight: 1}}
  parameters: {normalize: [{filter: layers.7, value: false}, {filter: "*", value: true}]}
parameters: {normalize: [{filter: lm_haed, value: false}]}
"""


def test_a_filter_without_a_tensor_is_noted(root: Path) -> None:
    """A filter that is part of no name changes nothing, and the command says so, once for each."""
    notes = [note for note in lowered(TEXT, root).notes if "filter" in note]

    named = [note.split("'")[1] for note in notes]
    assert ["layers.7", "lm_haed", "self_attm"] == sorted(named)
    assert all("is part of no tensor's name" in note for note in notes)


@pytest.fixture(scope="module")
def experts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of two Mixtrals, whose experts transformers joins in memory."""
    root = tmp_path_factory.mktemp("experts")
    for seed, name in enumerate(("base", "one")):
        make("mixtral", seed).save_pretrained(root / name)
    return root


def filtered(part: str) -> str:
    """Return a document that merges the tensors of a filter."""
    return (
        "merge_method: task_arithmetic\nbase_model: $base\nmodels: [{model: $one}]\n"
        f"parameters: {{weight: [{{filter: {part}, value: 1}}, {{value: 0}}]}}"
    )


@pytest.mark.parametrize(
    ("part", "by_file", "by_memory"),
    [
        ("mlp", "no tensor", r"26 tensors \(model.layers.0.mlp.experts.gate_up_proj\)"),
        ("gate_up_proj", "no tensor", r"16 tensors \(model.layers.0.mlp.experts.gate_up_proj\)"),
        ("experts.1.", r"6 tensors \(model.layers.0.block_sparse_moe.experts.1.w1", "no tensor"),
        ("block_sparse_moe", r"26 tensors \(model.layers.0.block_sparse_moe", "no tensor"),
    ],
)
def test_a_filter_of_other_tensors_in_memory_is_refused(
    part: str, by_file: str, by_memory: str, experts: Path
) -> None:
    """MergeKit would take other tensors; the message has the names of both."""
    faults = faults_of(filtered(part), experts)
    assert any(re.search(f"matches {by_file}.* but {by_memory}", f) for f in faults), faults


@pytest.mark.parametrize("part", ["self_attn", "experts", "layers.0.", "lm_head"])
def test_a_filter_of_the_same_tensors_is_taken(part: str, experts: Path) -> None:
    """What both names have means the same."""
    assert lowered(filtered(part), experts).notes == ()
