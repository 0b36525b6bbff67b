"""Our merges against MergeKit's, in float32: by entry, or by statistics where masks are random.

They are meant to differ in three things, and the comparisons know them: TIES entries that equal
the threshold are kept by lowest index here and in no stated order there; random masks come from
another generator; and MergeKit rescales a sparse task vector to the length that it had, ours by
its density.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stages.checkpoint import Checkpoint
from stages.merge.cuts import num_kept
from stages.merge.engine import merge, plan
from stages.recipe import Value
from tests.bench.programs import Program
from tests.merge.conftest import save_model, save_tensors
from tests.merge.recipes import recipe_of

PYTHON = Path(".scratch/oracle/bin/python")
PROGRAM = Path("tests/oracle/mergekit_program.py")
HIDDEN = 64
Models = Mapping[str, Checkpoint]
Tensors = dict[str, Tensor]

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def mergekit() -> Iterator[Program]:
    """MergeKit, warm, in an environment of its own."""
    if not PYTHON.exists():
        pytest.fail(f"{PYTHON} is missing: run tools/oracle_venv.py first")
    with Program(str(PYTHON), str(PROGRAM)) as program:
        yield program


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """A base, three models far from it, one near it, and one whose task vector is full of ties."""
    root = tmp_path_factory.mktemp("oracle")
    for seed, name in enumerate(("base", "one", "two", "three")):
        save_model(root / name, seed=seed, hidden=HIDDEN)
    found = {name: Checkpoint(root / name) for name in ("base", "one", "two", "three")}
    base, one = ({n: found[m].read(n) for n in found[m].tensors} for m in ("base", "one"))
    config = (root / "base" / "config.json").read_text(encoding="utf-8")
    near = {n: base[n] + 0.01 * one[n] for n in base}
    steps = {n: base[n].mul(8).round().div(8) + one[n].mul(4).round().div(4) for n in base}
    even = {n: base[n].mul(8).round().div(8) for n in base}
    for name, tensors in {"near": near, "steps": steps, "even": even}.items():
        found[name] = save_tensors(root / name, tensors, config)
    return found


def _theirs(
    mergekit: Program, out: Path, models: Models, config: Mapping[str, Any], *parents: str
) -> Tensors:
    """Return what MergeKit makes of ``config``; ``weight`` and so on hold a number per parent."""
    per_parent = {k: v for k, v in config.items() if isinstance(v, tuple)}
    entries = [
        {
            "model": str(models[parent].folder),
            "parameters": {k: v[i] for k, v in per_parent.items()},
        }
        for i, parent in enumerate(parents)
    ]
    whole = {k: v for k, v in config.items() if not isinstance(v, tuple)}
    job: dict[str, Any] = {
        "merge_method": whole.pop("method"),
        "dtype": "float32",
        "models": entries,
    }
    if "base" in whole:
        job["base_model"] = str(models[whole.pop("base")].folder)
    mergekit.run({"config": {**job, "parameters": whole}, "out": str(out), "seed": 0})
    child = Checkpoint(out)
    return {name: child.read(name) for name in child.tensors}


def _ours(
    models: Models, method: str, base: str | None, values: Mapping[str, Value], *parents: str
) -> Tensors:
    opened = [models[parent] for parent in parents]
    origin = models[base] if base else None
    recipe = recipe_of(method, origin, opened, values, dtype="float32")
    return dict(merge(plan(recipe, origin, opened)))


def _assert_close(theirs: Tensors, ours: Tensors, *, rtol: float = 1e-5) -> None:
    """The two hold the same tensors, within float32 rounding of values near 1."""
    assert sorted(theirs) == sorted(ours)
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=rtol, atol=2e-6, msg=name)


@pytest.mark.parametrize("weights", [(0.2, 0.5), (1.0, 3.0), (0.9, -0.4)])
@pytest.mark.parametrize("normalize", [True, False])
def test_linear(
    mergekit: Program, models: Models, tmp_path: Path, weights: tuple[float, ...], normalize: bool
) -> None:
    """Weighted means and sums are MergeKit's."""
    config = {"method": "linear", "weight": weights, "normalize": normalize}
    theirs = _theirs(mergekit, tmp_path / "out", models, config, "one", "two")
    values: dict[str, Value] = {"weight": weights, "normalize": float(normalize)}
    _assert_close(theirs, _ours(models, "linear", None, values, "one", "two"))


@pytest.mark.parametrize("t", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("other", ["one", "near"])
def test_slerp(mergekit: Program, models: Models, tmp_path: Path, t: float, other: str) -> None:
    """Arcs, and straight lines between near models, are MergeKit's; its base is our first."""
    config = {"method": "slerp", "base": "base", "t": t}
    theirs = _theirs(mergekit, tmp_path / "out", models, config, "base", other)
    _assert_close(theirs, _ours(models, "slerp", None, {"t": t}, "base", other))


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
    theirs = _theirs(mergekit, tmp_path / "out", models, config, "one", "two")
    values: dict[str, Value] = {"weight": weights, "scale": scale}
    values["normalize"] = float(normalize)
    _assert_close(theirs, _ours(models, "task_arithmetic", "base", values, "one", "two"))


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
    theirs = _theirs(
        mergekit, tmp_path / "out", models, {**config, "normalize": normalize}, *parents
    )
    values: dict[str, Value] = {"weight": weights, "density": density}
    values["normalize"] = float(normalize)
    ours = _ours(models, "ties", base, values, *parents)
    compared = 0
    for name, tensor in theirs.items():
        is_clear = ~_ties(models, name, base, parents, density)
        compared += int(is_clear.sum())
        theirs[name], ours[name] = tensor[is_clear], ours[name][is_clear]
    assert compared > 0.5 * sum(i.num_bytes for i in models["base"].tensors.values()) / 4
    _assert_close(theirs, ours, rtol=1e-4)


def _ties(
    models: Models, name: str, base: str, parents: tuple[str, ...], density: float
) -> Tensor:
    """Return where a task vector's entry equals a threshold that not all its equals pass."""
    found = torch.zeros(models[base].read(name).shape, dtype=torch.bool)
    for parent in parents:
        sizes = (models[parent].read(name) - models[base].read(name)).abs()
        kept = num_kept(sizes.numel(), density)
        threshold = sizes.flatten().sort(descending=True).values[kept - 1]
        if int((sizes >= threshold).sum()) > kept:
            found |= sizes == threshold
    return found


@pytest.mark.parametrize("method", ["breadcrumbs", "breadcrumbs_ties"])
def test_breadcrumbs(mergekit: Program, models: Models, tmp_path: Path, method: str) -> None:
    """Without its largest and smallest entries a task vector is MergeKit's."""
    values: dict[str, Value] = {"weight": (0.7, 0.4), "density": (0.5, 0.6), "gamma": (0.1, 0.05)}
    config = {"method": method, "base": "base", **values, "normalize": False}
    theirs = _theirs(mergekit, tmp_path / "out", models, config, "one", "two")
    ours = _ours(models, method, "base", {**values, "normalize": 0.0}, "one", "two")
    _assert_close(theirs, ours, rtol=1e-4)


def test_model_stock(mergekit: Program, models: Models, tmp_path: Path) -> None:
    """The interpolation by the angle between three task vectors is MergeKit's."""
    parents = ("one", "two", "three")
    config = {"method": "model_stock", "base": "base"}
    theirs = _theirs(mergekit, tmp_path / "out", models, config, *parents)
    _assert_close(theirs, _ours(models, "model_stock", "base", {}, *parents), rtol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_passthrough(mergekit: Program, models: Models, tmp_path: Path, scale: float) -> None:
    """A copy is a copy, and its scale a scale."""
    config = {"method": "passthrough", "scale": (scale,)}
    theirs = _theirs(mergekit, tmp_path / "out", models, config, "one")
    _assert_close(theirs, _ours(models, "passthrough", None, {"scale": scale}, "one"))


@pytest.mark.parametrize("method", ["dare_linear", "dare_ties", "della", "della_linear"])
@pytest.mark.parametrize("density", [0.3, 0.7])
def test_random_masks(
    mergekit: Program, models: Models, tmp_path: Path, method: str, density: float
) -> None:
    """Both keep the density, and what is added has the same mean and length, for DARE spread too.

    DELLA's spread differs: ours divides an entry by its own chance, MergeKit's all by one number.
    """
    config = {"method": method, "base": "base", "weight": (1.0,), "density": (density,)}
    theirs = _theirs(mergekit, tmp_path / "out", models, config, "one")
    ours = _ours(models, method, "base", {"weight": 1.0, "density": density}, "one")
    steps = [
        torch.cat([(child[n] - models["base"].read(n)).flatten() for n in sorted(ours)])
        for child in (theirs, ours)
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
