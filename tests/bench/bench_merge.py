"""The merge engine against MergeKit: the same merges in turn, warm, on the same machine.

``GERMLINE_BENCH_SHAPE`` chooses the shape (135M or 1B, whose files take 12 GB and are removed
afterwards), ``GERMLINE_BENCH_ROUNDS`` how often each merge is run; the best counts.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stages.merge.methods import METHODS
from stages.recipe.recipe import Model, Recipe, Rule, Value
from tests.bench.programs import OURS, Cost, Program
from tests.bench.shapes import NAMES, SHAPES, Shape, warm, write_models

SCRATCH = Path(".scratch")
ORACLE = SCRATCH / "oracle" / "bin" / "python"
THEIRS = (str(ORACLE), "tests/oracle/mergekit_program.py")
WANTED = {  # how many times faster, and on how many parents
    "linear": (2.0, 3),
    "task_arithmetic": (2.0, 3),
    "slerp": (5.0, 1),
    "ties": (10.0, 3),
    "dare_ties": (10.0, 3),
    "della": (10.0, 3),
    "breadcrumbs": (10.0, 3),
}
SPARE_BYTES = 2 * 10**9  # of the disk, left free
KEPT_BYTES = 10**9  # models larger than this are written again for each run
MAX_OVER_COPY = 1.5  # linear, over reading the inputs and writing the output
VALUES: dict[str, dict[str, float]] = {
    "linear": {"weight": 0.3},
    "slerp": {"t": 0.4},
    "task_arithmetic": {"weight": 0.3},
    "ties": {"weight": 0.3, "density": 0.5},
    "dare_ties": {"weight": 0.3, "density": 0.5},
    "della": {"weight": 0.3, "density": 0.5},
    "breadcrumbs": {"weight": 0.3, "density": 0.5},
}


@dataclass(frozen=True, slots=True)
class Match:
    """One method, done by both, and the plain copy of the same files."""

    method: str
    mergekit: Cost
    ours: Cost
    copy_seconds: float

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.mergekit.seconds / self.ours.seconds

    @property
    def over_copy(self) -> float:
        """How many times the plain copy ours takes."""
        return self.ours.seconds / self.copy_seconds

    def __str__(self) -> str:
        mergekit, ours = self.mergekit, self.ours
        return (
            f"| {self.method} | {mergekit.seconds:.2f} | {ours.seconds:.2f} | {self.ratio:.1f} "
            f"| {mergekit.peak_bytes / 1e6:.0f} | {ours.peak_bytes / 1e6:.0f} "
            f"| {self.copy_seconds:.2f} | {self.over_copy:.1f} |"
        )


HEADER = """\
| method | MergeKit s | ours s | times faster | MergeKit MB | ours MB | copy s | ours / copy |
|---|---|---|---|---|---|---|---|"""


@pytest.mark.bench
def test_merges_are_timed_against_mergekit(capsys: pytest.CaptureFixture[str]) -> None:
    """The table shows each method against MergeKit and a plain copy; no time is asserted."""
    shape = os.environ.get("GERMLINE_BENCH_SHAPE", "135M").upper()
    rounds = int(os.environ.get("GERMLINE_BENCH_ROUNDS", "3"))
    methods = os.environ.get("GERMLINE_BENCH_METHODS", ",".join(WANTED)).split(",")
    root = SCRATCH / f"bench-{shape}"
    with _room(root, SHAPES[shape]):
        folders = write_models(root, SHAPES[shape])
        warm(folders)
        with Program(*THEIRS) as mergekit, Program(*OURS) as ours:
            matches = [_match(method, folders, mergekit, ours, rounds) for method in methods]
    slow = [m.method for m in matches if m.ratio < WANTED[m.method][0]]
    slow += [m.method for m in matches if m.method == "linear" and m.over_copy > MAX_OVER_COPY]
    with capsys.disabled():
        print("", HEADER, *matches, sep="\n")  # noqa: T201  # the table is what it is run for
        print(f"short of what is wanted: {', '.join(slow) or 'none'}")  # noqa: T201
    assert len(methods) == len(matches)


@contextmanager
def _room(root: Path, shape: Shape) -> Iterator[None]:
    """Skip where the disk has no room for the models and a child; remove large ones afterwards."""
    SCRATCH.mkdir(exist_ok=True)
    needed = (len(NAMES) + 1) * shape.num_bytes
    if not root.exists() and shutil.disk_usage(SCRATCH).free < needed + SPARE_BYTES:
        pytest.skip(f"{root}: the models and a child take {needed / 1e9:.0f} GB of disk.")
    try:
        yield
    finally:
        if shape.num_bytes > KEPT_BYTES:
            shutil.rmtree(root, ignore_errors=True)


def _match(
    method: str, folders: dict[str, Path], mergekit: Program, ours: Program, rounds: int
) -> Match:
    """Run both and the copy in turn, and take the best of each."""
    jobs = _jobs(method, folders)
    costs: dict[str, list[Cost]] = {name: [] for name in jobs}
    out = SCRATCH / "bench-out"
    for _ in range(rounds):
        for name, job in jobs.items():
            program = mergekit if name == "mergekit" else ours
            shutil.rmtree(out, ignore_errors=True)
            os.sync()  # what the job before left to be written is not this one's
            if name == "copy":
                out.mkdir()
                job["out"] = str(out / "model.safetensors")
            else:
                job["out"] = str(out)
            costs[name].append(program.run(job))
    shutil.rmtree(out, ignore_errors=True)
    best = {name: _best(runs) for name, runs in costs.items()}
    return Match(method, best["mergekit"], best["ours"], best["copy"].seconds)


def _best(costs: list[Cost]) -> Cost:
    return Cost(min(c.seconds for c in costs), max(c.peak_bytes for c in costs))


def _jobs(method: str, folders: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """Return one merge as both programs take it, and the copy of its files."""
    base, *fine_tunes = folders.values()
    parents = fine_tunes[: WANTED[method][1]]
    spec = METHODS[method].spec
    values: dict[str, Value] = dict(VALUES[method])
    if method == "slerp":  # MergeKit's runs from the base to the other
        parents = [base, *parents]
    used = [base, *parents] if spec.needs_base else parents
    names = [folder.name for folder in parents]
    recipe = Recipe.of_models(
        method,
        tuple(Model(name, name) for name in names),
        (Rule(values),),
        Model("base", "base") if spec.needs_base else None,
        dtype="bfloat16",
    )
    config: dict[str, Any] = {
        "merge_method": method,
        "dtype": "bfloat16",
        "models": [{"model": str(p), "parameters": dict(VALUES[method])} for p in parents],
    }
    if method == "slerp":
        config["parameters"] = dict(VALUES[method])
    if spec.needs_base or method == "slerp":
        config["base_model"] = str(base)
    files = [str(folder / "model.safetensors") for folder in used]
    ours = {"recipe": recipe.to_dict(), "models": [str(folder) for folder in used]}
    return {"mergekit": {"config": config}, "ours": ours, "copy": {"copy": files}}
