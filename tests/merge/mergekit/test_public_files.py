"""Files that other tools write, or accept: merged as they mean it, with notes."""

from pathlib import Path

import pytest
import torch

from stages.checkpoint.reader import Checkpoint
from stages.merge.engine.tensor_ranges import merge
from tests.merge.mergekit.llamas import lowered
from tests.merge.mergekit.test_to_recipe import Q, faults_of, tensors_of

PAIR = """
base_model: $base
models:
  - {{model: $one, parameters: {{weight: 0.5, density: {density}}}}}
  - {{model: $two, parameters: {{weight: 0.25, density: 0.5}}}}
parameters: {{normalize: {normalize}, rescale: false, epsilon: 0.1, gamma: 0.01}}
dtype: float32
"""
LONE = """
base_model: $base
models: [{{model: $two, parameters: {{weight: {weight}, density: 0.5}}}}]
parameters: {{normalize: {normalize}, rescale: false, epsilon: 0.1, gamma: 0.01}}
dtype: float32
"""
SLERP = """
merge_method: slerp
slices:
  - base_model: $one
    sources:
      - {model: $one, layer_range: [0, 2], parameters: {weight: 0.6}}
      - {model: $two, layer_range: [0, 2]}
    parameters: {t: 0.4}
  - base_model: $two
    sources: [{model: $two, layer_range: [2, 4]}, {model: $one, layer_range: [2, 4]}]
    parameters: {t: 0.3}
parameters: {normalize: false, int8_mask: true}
dtype: float32
"""


def values_of(text: str, root: Path, name: str) -> torch.Tensor:
    """Return a tensor of the child that a document describes."""
    return dict(merge(lowered(text, root).plan))[name]


@pytest.mark.parametrize("method", ["ties", "dare_ties", "dare_linear", "breadcrumbs", "della"])
@pytest.mark.parametrize("normalize", ["false", "true"])
def test_density_0_keeps_nothing(root: Path, method: str, normalize: str) -> None:
    """The other model is all there is; in a sum of weights the absent one has its share."""
    votes = method in ("ties", "dare_ties", "della")
    weight = 0.25 / 0.75 if normalize == "true" and not votes else 0.25
    other = "true" if normalize == "true" and votes else "false"
    name = f"merge_method: {method}"
    both = values_of(name + PAIR.format(density=0, normalize=normalize), root, Q.format(1))
    alone = values_of(name + LONE.format(weight=weight, normalize=other), root, Q.format(1))

    assert torch.allclose(both, alone, atol=1e-6)
    assert not torch.equal(both, Checkpoint(root / "base").read(Q.format(1)).float())


def test_density_may_end_at_0(root: Path) -> None:
    """Of a gradient to 0, the last layer has nothing of that model."""
    text = "merge_method: ties" + PAIR.format(density="[1, 0.7, 0]", normalize="true")
    tensors = tensors_of(lowered(text, root).plan)

    weights = [tensors[Q.format(i)].settings.parent["weight"] for i in (0, 3)]
    assert [(0.5, 0.25), (0.0, 0.25)] == weights


@pytest.mark.parametrize(
    ("normalize", "expected"),
    [
        ("[true, false]", [1.0, 1.0, 1.0, 0.0]),
        ("[{filter: layers.1, value: false}, {value: true}]", [1.0, 0.0, 1.0, 1.0]),
    ],
)
def test_switch_takes_one_of_its_values(root: Path, normalize: str, expected: list[float]) -> None:
    """Between two anchors a switch is on, as in MergeKit; a filter gives it as it is."""
    text = "merge_method: ties" + PAIR.format(density=1, normalize=normalize)
    tensors = tensors_of(lowered(text, root).plan)

    assert expected == [tensors[Q.format(i)].settings.tensor["normalize"] for i in range(4)]


def test_base_may_stand_in_each_slice(root: Path) -> None:
    """Each slice then begins at its own base, and parameters of other methods give a note."""
    translation = lowered(SLERP, root)
    child = dict(merge(translation.plan))
    one, two = (Checkpoint(root / name).read for name in ("one", "two"))

    for layer, first, other in ((1, one, two), (3, two, one)):
        name = Q.format(layer)
        assert (child[name] - first(name)).norm() < (child[name] - other(name)).norm()
    for name in ("weight", "normalize", "int8_mask"):
        assert f"{name} is a parameter of other methods; slerp does not read it." in (
            translation.notes
        )


def test_slice_without_a_base_is_named(root: Path) -> None:
    """A base in one slice is none in the other."""
    text = SLERP.replace("  - base_model: $two\n    sources", "  - sources")

    assert ["base_model: is missing" in fault for fault in faults_of(text, root)] == [True]


def test_each_illegal_value_is_named_at_its_line(root: Path) -> None:
    """Several are listed together."""
    text = "merge_method: ties" + PAIR.format(density="[1, -0.5]", normalize="true").replace(
        "density: 0.5", "density: 1.1"
    )
    faults = faults_of(text, root)

    assert [("line 4" in faults[0]), ("line 5" in faults[1]), len(faults)] == [True, True, 2]
    assert (
        "models[0].parameters.density: density is -0.5. Legal is a number in [0, 1]" in faults[0]
    )
