"""Our merges against MergeKit's, in float32: by entry, or by statistics where masks are random.

They are meant to differ in three things, and the comparisons know them: TIES entries that equal
the threshold are kept by lowest index here and in no stated order there; random masks come from
another generator; and MergeKit rescales a sparse task vector to the L1 norm that it had, which is
`rescale` l1 here, where the default is the papers' density.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stages.merge.arithmetic.thresholds import num_kept
from stages.recipe.recipe import Value
from tests.bench.programs import Program
from tests.oracle.conftest import Models, assert_close, ours_of, theirs_of

pytestmark = pytest.mark.oracle


@pytest.mark.parametrize("weights", [(0.2, 0.5), (1.0, 3.0), (0.9, -0.4)])
@pytest.mark.parametrize("normalize", [True, False])
def test_linear(
    mergekit: Program, models: Models, tmp_path: Path, weights: tuple[float, ...], normalize: bool
) -> None:
    """Weighted means and sums are MergeKit's."""
    config = {"method": "linear", "weight": weights, "normalize": normalize}
    expected = theirs_of(mergekit, tmp_path / "out", models, config, "one", "two")
    values: dict[str, Value] = {"weight": weights, "normalize": float(normalize)}
    assert_close(expected, ours_of(models, "linear", None, values, "one", "two"))


@pytest.mark.parametrize("t", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("other", ["one", "near"])
def test_slerp(mergekit: Program, models: Models, tmp_path: Path, t: float, other: str) -> None:
    """Arcs, and straight lines between near models, are MergeKit's; its base is our first."""
    config = {"method": "slerp", "base": "base", "t": t}
    expected = theirs_of(mergekit, tmp_path / "out", models, config, "base", other)
    assert_close(expected, ours_of(models, "slerp", None, {"t": t}, "base", other))


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(("weights", "scale"), [((0.7, 0.4), 1.0), ((0.7, -0.2), 1.5)])
def test_task_arithmetic(
    mergekit: Program,
    models: Models,
    tmp_path: Path,
    weights: tuple[float, ...],
    scale: float,
    normalize: bool,
) -> None:
    """Sums of task vectors are MergeKit's; its lambda is our scale."""
    config: dict[str, Any] = {"method": "task_arithmetic", "base": "base", "weight": weights}
    config |= {"normalize": normalize, "lambda": scale}
    expected = theirs_of(mergekit, tmp_path / "out", models, config, "one", "two")
    values: dict[str, Value] = {"weight": weights, "scale": scale}
    values["normalize"] = float(normalize)
    assert_close(expected, ours_of(models, "task_arithmetic", "base", values, "one", "two"))


@pytest.mark.parametrize("density", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("weights", [(0.7, 0.4, 0.2), (0.5, 0.5, -0.3)])
@pytest.mark.parametrize("first", ["one", "steps"])
def test_ties(
    mergekit: Program,
    models: Models,
    tmp_path: Path,
    first: str,
    weights: tuple[float, ...],
    normalize: bool,
    density: float,
) -> None:
    """Off the threshold TIES is MergeKit's, entry by entry."""
    base = "base" if first == "one" else "even"
    config = {"method": "ties", "base": base, "weight": weights, "density": (density,) * 3}
    parents = (first, "two", "three")
    expected = theirs_of(
        mergekit, tmp_path / "out", models, {**config, "normalize": normalize}, *parents
    )
    values: dict[str, Value] = {"weight": weights, "density": density}
    values["normalize"] = float(normalize)
    ours = ours_of(models, "ties", base, values, *parents)
    compared = 0
    for name, tensor in expected.items():
        is_clear = ~_ties(models, name, base, parents, density)
        compared += int(is_clear.sum())
        expected[name], ours[name] = tensor[is_clear], ours[name][is_clear]
    assert compared > 0.5 * sum(i.num_bytes for i in models["base"].tensors.values()) / 4
    assert_close(expected, ours, rtol=1e-4)


def _ties(
    models: Models, name: str, base: str, parents: tuple[str, ...], density: float
) -> Tensor:
    """Return where a task vector's entry equals a threshold that not all its equals pass."""
    is_tied = torch.zeros(models[base].read(name).shape, dtype=torch.bool)
    for parent in parents:
        sizes = (models[parent].read(name) - models[base].read(name)).abs()
        kept = num_kept(sizes.numel(), density)
        threshold = sizes.flatten().sort(descending=True).values[kept - 1]
        if int((sizes >= threshold).sum()) > kept:
            is_tied |= sizes == threshold
    return is_tied


@pytest.mark.parametrize("method", ["breadcrumbs", "breadcrumbs_ties"])
def test_breadcrumbs(mergekit: Program, models: Models, tmp_path: Path, method: str) -> None:
    """Without its largest and smallest entries a task vector is MergeKit's."""
    values: dict[str, Value] = {"weight": (0.7, 0.4), "density": (0.5, 0.6), "gamma": (0.1, 0.05)}
    config = {"method": method, "base": "base", **values, "normalize": False}
    expected = theirs_of(mergekit, tmp_path / "out", models, config, "one", "two")
    ours = ours_of(models, method, "base", {**values, "normalize": 0.0}, "one", "two")
    assert_close(expected, ours, rtol=1e-4)


def test_model_stock(mergekit: Program, models: Models, tmp_path: Path) -> None:
    """The interpolation by the angle between three task vectors is MergeKit's."""
    parents = ("one", "two", "three")
    config = {"method": "model_stock", "base": "base"}
    expected = theirs_of(mergekit, tmp_path / "out", models, config, *parents)
    assert_close(expected, ours_of(models, "model_stock", "base", {}, *parents), rtol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_passthrough(mergekit: Program, models: Models, tmp_path: Path, scale: float) -> None:
    """A copy is a copy, and its scale a scale."""
    config = {"method": "passthrough", "scale": (scale,)}
    expected = theirs_of(mergekit, tmp_path / "out", models, config, "one")
    assert_close(expected, ours_of(models, "passthrough", None, {"scale": scale}, "one"))


@pytest.mark.parametrize("method", ["dare_linear", "dare_ties", "della", "della_linear"])
@pytest.mark.parametrize("density", [0.3, 0.7])
def test_random_masks(
    mergekit: Program, models: Models, tmp_path: Path, method: str, density: float
) -> None:
    """Both keep the density, and what is added has the same mean and length, for DARE spread too.

    DELLA's spread differs: ours divides an entry by its own chance, MergeKit's all by one number.
    """
    config = {"method": method, "base": "base", "weight": (1.0,), "density": (density,)}
    expected = theirs_of(mergekit, tmp_path / "out", models, config, "one")
    ours = ours_of(models, method, "base", {"weight": 1.0, "density": density}, "one")
    steps = [
        torch.cat([(child[n] - models["base"].read(n)).flatten() for n in sorted(ours)])
        for child in (expected, ours)
    ]
    their_step, our_step = steps
    deviation = (density * (1 - density) / our_step.numel()) ** 0.5
    for step in steps:
        assert float((step != 0).float().mean()) == pytest.approx(density, abs=5 * deviation)
    assert float(our_step.abs().sum()) == pytest.approx(float(their_step.abs().sum()), rel=0.03)
    spread = float(their_step.std())
    error = 5 * spread * (2 / our_step.numel()) ** 0.5
    assert float(our_step.mean()) == pytest.approx(float(their_step.mean()), abs=error)
    if method.startswith("dare"):
        assert float(our_step.std()) == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize("method", ["dare_linear", "dare_ties", "della", "della_linear"])
@pytest.mark.parametrize("density", [0.3, 0.7])
def test_l1_rescaling(
    mergekit: Program, models: Models, tmp_path: Path, method: str, density: float
) -> None:
    """With `rescale` l1 every tensor's step has MergeKit's L1 norm, and its spread.

    The masks differ; so does the spread of small tensors, and only those of 1,000 entries count.
    """
    config = {"method": method, "base": "base", "weight": (1.0,), "density": (density,)}
    values: dict[str, Value] = {"weight": 1.0, "density": density, "rescale": "l1"}
    expected = theirs_of(mergekit, tmp_path / "out", models, config, "one")
    ours = ours_of(models, method, "base", values, "one")
    assert sorted(expected) == sorted(ours)
    compared = 0
    for name, tensor in expected.items():
        base = models["base"].read(name)
        their_step, our_step = tensor - base, ours[name] - base
        norm = float(their_step.abs().sum())
        assert float(our_step.abs().sum()) == pytest.approx(norm, rel=1e-4), name
        if base.numel() >= 1000:
            compared += 1
            assert float(our_step.std()) == pytest.approx(float(their_step.std()), rel=0.1), name
    assert compared > 5


@pytest.mark.parametrize("method", ["ties", "breadcrumbs", "breadcrumbs_ties"])
def test_l1_rescaling_of_what_is_trimmed(
    mergekit: Program, models: Models, tmp_path: Path, method: str
) -> None:
    """MergeKit's `rescale: true` is our `rescale` l1, entry by entry."""
    values: dict[str, Value] = {"weight": (0.7, 0.4), "density": (0.5, 0.6)}
    if method != "ties":
        values["gamma"] = (0.1, 0.05)
    config = {"method": method, "base": "base", **values, "normalize": False, "rescale": True}
    expected = theirs_of(mergekit, tmp_path / "out", models, config, "one", "two")
    ours = ours_of(
        models, method, "base", {**values, "normalize": 0.0, "rescale": "l1"}, "one", "two"
    )
    assert_close(expected, ours, rtol=1e-4)
