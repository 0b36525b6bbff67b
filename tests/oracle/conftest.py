"""MergeKit, warm, and the models that both merge."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stages.checkpoint.reader import Checkpoint
from stages.merge.engine.tensor_ranges import merge
from stages.recipe.recipe import Value
from tests.bench.programs import Program
from tests.merge.conftest import save_model, save_tensors
from tests.merge.recipes import planned, recipe_of

PYTHON = Path(".scratch/oracle/bin/python")
PROGRAM = Path("tests/oracle/mergekit_program.py")
HIDDEN = 64
Models = Mapping[str, Checkpoint]
Tensors = dict[str, Tensor]


@pytest.fixture(scope="session")
def mergekit() -> Iterator[Program]:
    """MergeKit, warm, in an environment of its own."""
    if not PYTHON.exists():
        pytest.fail(f"{PYTHON} is missing: run tools/oracle_venv.py first")
    with Program(str(PYTHON), str(PROGRAM)) as program:
        yield program


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """A base, three models far from it, one near it, and one whose task vector is full of ties."""
    root = tmp_path_factory.mktemp("oracle")
    for seed, name in enumerate(("base", "one", "two", "three")):
        save_model(root / name, seed=seed, hidden=HIDDEN)
    checkpoints = {name: Checkpoint(root / name) for name in ("base", "one", "two", "three")}
    base, one = (
        {n: checkpoints[m].read(n) for n in checkpoints[m].tensors} for m in ("base", "one")
    )
    config = (root / "base" / "config.json").read_text(encoding="utf-8")
    near = {n: base[n] + 0.01 * one[n] for n in base}
    steps = {n: base[n].mul(8).round().div(8) + one[n].mul(4).round().div(4) for n in base}
    even = {n: base[n].mul(8).round().div(8) for n in base}
    for name, tensors in {"near": near, "steps": steps, "even": even}.items():
        checkpoints[name] = save_tensors(root / name, tensors, config)
    return checkpoints


def theirs_of(
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


def ours_of(
    models: Models, method: str, base: str | None, values: Mapping[str, Value], *parents: str
) -> Tensors:
    """Return what we make of the same parents in float32."""
    opened = [models[parent] for parent in parents]
    origin = models[base] if base else None
    recipe = recipe_of(method, origin, opened, values, dtype="float32")
    return dict(merge(planned(recipe, origin, opened)))


def assert_close(expected: Tensors, ours: Tensors, *, rtol: float = 1e-5) -> None:
    """The two hold the same tensors, within float32 rounding of values near 1."""
    assert sorted(expected) == sorted(ours)
    for name, tensor in expected.items():
        torch.testing.assert_close(ours[name], tensor, rtol=rtol, atol=2e-6, msg=name)
