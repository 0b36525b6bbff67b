"""Filters that meet no tensor are told, at every level; those that do are not."""

from pathlib import Path

from tests.merge.mergekit.llamas import lowered

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
