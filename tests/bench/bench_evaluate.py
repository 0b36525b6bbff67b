"""A candidate here, against what a user would otherwise do: mergekit-yaml to disk, then lm_eval.

Both evaluate the same candidates on the same items with the same number of threads, in turn.
``GERMLINE_BENCH_CASES`` chooses the cases (zoo, 135M), ``GERMLINE_BENCH_ITEMS`` how many items of
135M are used, ``GERMLINE_BENCH_ROUNDS`` how many candidates of each case are timed, and
``GERMLINE_BENCH_THREADS`` the threads of both (1 as in params.yaml, where workers use the cores).
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from torch import nn

from stages.checkpoint.reader import Checkpoint
from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.evaluate.tasks.suite import Suite
from stages.merge.outputs.model_folder import ResidentSink
from stages.merge.plan.planner import plan
from stages.params.evaluate_params import EvaluateParams
from stages.recipe.recipe import Model, Recipe, Rule
from tests.bench.items import write_items, write_tokenizer
from tests.bench.shapes import SHAPES, warm, write_models

SCRATCH = Path(".scratch")
THEIRS = SCRATCH / "oracle" / "bin" / "mergekit-yaml"
SPLIT = "search"
WANTED = {"zoo": 20.0, "135M": 3.0}  # times the candidates per hour
MOST_OUTSIDE = 0.05  # of a candidate's time on 135M, outside the model's forward passes


@dataclass(frozen=True, slots=True)
class Case:
    """Models, a base first, and what they are evaluated on."""

    name: str
    folders: tuple[Path, ...]
    params: EvaluateParams


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one candidate: theirs to merge and to evaluate, ours for both; and the scores."""

    merge: float
    lm_eval: float
    ours: float
    forward: float
    scores: tuple[dict[str, float], dict[str, float]]

    @property
    def theirs(self) -> float:
        """Both steps."""
        return self.merge + self.lm_eval


def zoo() -> Case:
    """Return the bundled models on the tasks of params.yaml."""
    section = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["evaluate"]
    folders = tuple(Path("data/zoo") / name for name in ("base", "math", "spanish", "order"))
    return Case("zoo", folders, EvaluateParams.model_validate(section | {"threads": _threads()}))


def smollm2() -> Case:
    """Return models of SmolLM2-135M's shape on multiple-choice items; their weights are random."""
    folders = write_models(SCRATCH / "bench-135M", SHAPES["135M"])
    for folder in folders.values():
        write_tokenizer(folder)
    num = int(os.environ.get("GERMLINE_BENCH_ITEMS", "200"))
    tasks = write_items(SCRATCH / "bench-items", num + 2)
    section = {
        "tasks": [{"task": "places"}],
        "include_path": str(tasks),
        "splits": {"search": num, "validation": 1, "test": 1},
        "threads": _threads(),
    }
    return Case("135M", tuple(folders.values()), EvaluateParams.model_validate(section))


CASES: dict[str, Callable[[], Case]] = {"zoo": zoo, "135M": smollm2}


@pytest.mark.bench
def test_candidates_are_timed_against_two_command_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The table shows candidates per hour and what is not a forward pass; no time is asserted."""
    cases = os.environ.get("GERMLINE_BENCH_CASES", ",".join(CASES)).split(",")
    lines = [
        _row(CASES[name](), int(os.environ.get("GERMLINE_BENCH_ROUNDS", "2"))) for name in cases
    ]
    with capsys.disabled():
        print("", HEADER, *lines, sep="\n")  # noqa: T201  # the table is what it is run for
    assert len(cases) == len(lines)


HEADER = """\
| case | mergekit-yaml s | lm_eval s | ours s | candidates/h theirs | ours | times | wanted \
| outside forward | scores theirs | scores ours | start s, once |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


def _row(case: Case, rounds: int) -> str:
    """Time the candidates of a case, and tell of the fastest of each side."""
    for folder in case.folders:
        warm({folder.name: folder})
    start = time.perf_counter()
    candidates = Candidates(case)
    started = time.perf_counter() - start
    candidates.ours(0.2)  # the first forward pass of a process is slower
    timings = [candidates.time(0.3 + 0.1 * i) for i in range(rounds)]
    command = min(timings, key=lambda t: t.theirs)
    ours = min(timings, key=lambda t: t.ours)
    outside = 1 - ours.forward / ours.ours
    both = [" ".join(f"{score:.3f}" for score in s.values()) for s in ours.scores]
    return (
        f"| {case.name} | {command.merge:.1f} | {command.lm_eval:.1f} | {ours.ours:.2f} "
        f"| {3600 / command.theirs:.0f} | {3600 / ours.ours:.0f} "
        f"| {command.theirs / ours.ours:.1f} | {WANTED[case.name]:.0f} | {outside:.1%} "
        f"| {both[0]} | {both[1]} | {started:.1f} |"
    )


class Candidates:
    """Task-arithmetic merges of a case's models, each evaluated in both ways."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._suite = Suite.load(case.params)
        self._evaluator = ResidentEvaluator(case.folders[0], case.params, self._suite)
        self._evaluator.prepare(SPLIT)
        self._sink = ResidentSink(self._evaluator.model)
        self._clock = Clock(self._evaluator.model)

    def time(self, weight: float) -> Timing:
        """Return what the candidate of ``weight`` takes, theirs first."""
        merge, lm_eval, logged = self._theirs(weight)
        self._clock.seconds = 0.0
        start = time.perf_counter()
        scores = self.ours(weight)
        ours = time.perf_counter() - start
        return Timing(merge, lm_eval, ours, self._clock.seconds, (logged, scores))

    def ours(self, weight: float) -> dict[str, float]:
        """Merge into the resident weights and evaluate; return the scores by task."""
        base, *parents = self._case.folders
        models = tuple(Model(p.name, p.name) for p in parents)
        rules = (Rule({"weight": weight}),)
        base_model = Model("base", "base")
        recipe = Recipe.of_models("task_arithmetic", models, rules, base_model, dtype="bfloat16")
        self._sink.load(plan(recipe, [Checkpoint(folder) for folder in (base, *parents)]))
        return {t.task: t.score for t in self._evaluator.evaluate(SPLIT).tasks}

    def _theirs(self, weight: float) -> tuple[float, float, dict[str, float]]:
        folder = SCRATCH / "bench-evaluate"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        config, model, out = folder / "config.yaml", folder / "model", folder / "out"
        config.write_text(yaml.safe_dump(self._config(weight)), encoding="utf-8")
        merge = _run(str(THEIRS), str(config), str(model), "--quiet")
        lm_eval = _run(sys.executable, "-m", "lm_eval", "run", *self._arguments(model, out))
        results = json.loads(next(out.rglob("results_*")).read_text(encoding="utf-8"))["results"]
        shutil.rmtree(folder)
        scores = {}
        for part in self._suite.parts[SPLIT]:
            scores[part.label] = results[part.label][f"{part.loaded.metric},{part.loaded.filter}"]
        return merge, lm_eval, scores

    def _config(self, weight: float) -> dict[str, Any]:
        base, *parents = (str(folder.resolve()) for folder in self._case.folders)
        models = [{"model": parent, "parameters": {"weight": weight}} for parent in parents]
        return {
            "base_model": base,
            "dtype": "bfloat16",
            "merge_method": "task_arithmetic",
            "models": models,
        }

    def _arguments(self, model: Path, out: Path) -> list[str]:
        params, parts = self._case.params, self._suite.parts[SPLIT]
        places = {part.label: sorted(part.places.values()) for part in parts}
        pairs = {
            "--model_args": f"pretrained={model},dtype=float32",
            "--include_path": str(params.include_path),
            "--samples": json.dumps(places),
            "--batch_size": str(params.batch_size),
            "--device": "cpu",
            "--output_path": str(out),
        }
        return ["--tasks", *places, *(word for pair in pairs.items() for word in pair)]


class Clock:
    """Adds up the seconds inside a model's forward passes."""

    def __init__(self, model: nn.Module) -> None:
        self.seconds = 0.0
        self._since = 0.0
        model.register_forward_pre_hook(self._begin)
        model.register_forward_hook(self._end)

    def _begin(self, *_: object) -> None:
        self._since = time.perf_counter()

    def _end(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._since


def _run(*command: str) -> float:
    """Run a program that must succeed; return its seconds, from start to end."""
    threads = str(_threads())
    start = time.perf_counter()
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        env=os.environ | offline | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
    )
    return time.perf_counter() - start


def _threads() -> int:
    return int(os.environ.get("GERMLINE_BENCH_THREADS", "1"))
