"""The methods on spheres, by entries and by importance against MergeKit's, in float32."""

from pathlib import Path
from typing import Any

import pytest

from stages.recipe.recipe import Value
from tests.bench.programs import Program
from tests.oracle.conftest import Models, assert_close, ours_of, theirs_of

pytestmark = pytest.mark.oracle


@pytest.mark.parametrize("base", [None, "base"])
@pytest.mark.parametrize(("flatten", "row_wise"), [(True, False), (False, False), (False, True)])
def test_nuslerp(
    mergekit: Program,
    models: Models,
    tmp_path: Path,
    base: str | None,
    flatten: bool,
    row_wise: bool,
) -> None:
    """Arcs between parents, or task vectors, whole or by rows or columns, are MergeKit's."""
    config: dict[str, Any] = {"method": "nuslerp", "weight": (0.3, 0.9)}
    config |= {"nuslerp_flatten": flatten, "nuslerp_row_wise": row_wise}
    if base:
        config["base"] = base
    expected = theirs_of(mergekit, tmp_path / "out", models, config, "one", "two")
    values: dict[str, Value] = {"weight": (0.3, 0.9), "nuslerp_flatten": float(flatten)}
    values["nuslerp_row_wise"] = float(row_wise)
    assert_close(expected, ours_of(models, "nuslerp", base, values, "one", "two"), rtol=1e-4)


@pytest.mark.parametrize("base", [None, "base"])
@pytest.mark.parametrize("normalize", [True, False])
def test_multislerp(
    mergekit: Program, models: Models, tmp_path: Path, base: str | None, normalize: bool
) -> None:
    """The mean direction with the mean length is what MergeKit's way through the tangents gives.

    Its tangents cancel where the weights sum to 1, so without normalisation they do here, too.
    """
    weight = (1.0, 2.0, 0.5) if normalize else (0.5, 0.3, 0.2)
    config: dict[str, Any] = {"method": "multislerp", "weight": weight}
    config["normalize_weights"] = normalize
    if base:
        config["base"] = base
    parents = ("one", "two", "three")
    expected = theirs_of(mergekit, tmp_path / "out", models, config, *parents)
    values: dict[str, Value] = {"weight": weight, "normalize": float(normalize)}
    assert_close(expected, ours_of(models, "multislerp", base, values, *parents), rtol=1e-4)


@pytest.mark.parametrize("parents", [("one", "two", "three"), ("base", "near")])
def test_karcher(
    mergekit: Program, models: Models, tmp_path: Path, parents: tuple[str, ...]
) -> None:
    """The Riemannian mean of directions far apart, or near, is MergeKit's once both converge."""
    config = {"method": "karcher", "max_iter": 100, "tol": 1e-7}
    expected = theirs_of(mergekit, tmp_path / "out", models, config, *parents)
    values: dict[str, Value] = {"max_iter": 100.0, "tol": 1e-7}
    assert_close(expected, ours_of(models, "karcher", None, values, *parents), rtol=1e-3)


@pytest.mark.parametrize("t", [0.001, 0.1, 0.5])
@pytest.mark.parametrize("other", ["one", "near"])
def test_nearswap(mergekit: Program, models: Models, tmp_path: Path, t: float, other: str) -> None:
    """Steps of at most t are MergeKit's; its base is our first parent."""
    config = {"method": "nearswap", "base": "base", "t": t}
    expected = theirs_of(mergekit, tmp_path / "out", models, config, "base", other)
    assert_close(expected, ours_of(models, "nearswap", None, {"t": t}, "base", other))


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1])
def test_sce(mergekit: Program, models: Models, tmp_path: Path, share: float) -> None:
    """Selected by variance, weighted by energy and elected, the child is MergeKit's."""
    parents = ("one", "two", "three")
    config = {"method": "sce", "base": "base", "select_topk": share}
    expected = theirs_of(mergekit, tmp_path / "out", models, config, *parents)
    ours = ours_of(models, "sce", "base", {"select_topk": share}, *parents)
    assert_close(expected, ours, rtol=1e-3)


@pytest.mark.parametrize("epsilon", [1e-5, 0.2])
def test_ram(mergekit: Program, models: Models, tmp_path: Path, epsilon: float) -> None:
    """Own changes added and shared ones averaged are MergeKit's."""
    parents = ("one", "two", "three")
    config = {"method": "ram", "base": "base", "epsilon": epsilon}
    expected = theirs_of(mergekit, tmp_path / "out", models, config, *parents)
    assert_close(expected, ours_of(models, "ram", "base", {"epsilon": epsilon}, *parents))


@pytest.mark.parametrize(("r", "alpha"), [(0.1, 0.2), (0.5, 10.0)])
def test_ramplus_tl(
    mergekit: Program, models: Models, tmp_path: Path, r: float, alpha: float
) -> None:
    """Own changes enlarged by the overlap of their tensor are MergeKit's."""
    parents = ("one", "two", "three")
    values: dict[str, Value] = {"epsilon": 0.2, "r": r, "alpha": alpha}
    config = {"method": "ramplus_tl", "base": "base", **values}
    expected = theirs_of(mergekit, tmp_path / "out", models, config, *parents)
    assert_close(expected, ours_of(models, "ramplus_tl", "base", values, *parents), rtol=1e-4)


@pytest.mark.parametrize("other", ["one", "two"])
def test_arcee_fusion(mergekit: Program, models: Models, tmp_path: Path, other: str) -> None:
    """Each tensor has nearly as many entries of the second parent, in the same places.

    The quantiles are alike; MergeKit adds 1e-8 to each probability, so an entry on the fence may
    fall on either side.
    """
    config = {"method": "arcee_fusion", "base": "base"}
    expected = theirs_of(mergekit, tmp_path / "out", models, config, "base", other)
    ours = ours_of(models, "arcee_fusion", None, {}, "base", other)
    assert sorted(expected) == sorted(ours)
    num_same = sum(int((ours[n] - expected[n]).abs().le(1e-5).sum()) for n in expected)
    num_moved = sum(int((ours[n] != models["base"].read(n)).sum()) for n in ours)
    size = sum(tensor.numel() for tensor in ours.values())
    assert num_same >= 0.999 * size
    assert 0.01 * size < num_moved < 0.3 * size
