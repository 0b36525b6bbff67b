"""The resident evaluator against lm-eval's own command line, item for item."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.evaluate.tasks.suite import Suite
from stages.params.evaluate_params import EvaluateParams

SPLIT = "validation"
Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Both:
    """What both say: ours by (task, item), lm-eval's logged samples by task and item."""

    scores: dict[tuple[str, str], float | None]
    answers: dict[tuple[str, str], list[Any]]
    logged: dict[str, Rows]


def run_command_line(model: Path, suite: Suite, out: Path) -> dict[str, Rows]:
    """Return what ``lm_eval --log_samples`` says about the items of the split."""
    parts = {part.label: part for part in suite.parts[SPLIT]}
    arguments = {
        "--model_args": f"pretrained={model},dtype=float32",
        "--include_path": "tasks",
        "--num_fewshot": "2",
        "--samples": json.dumps({n: sorted(p.places.values()) for n, p in parts.items()}),
        "--batch_size": "4",
        "--device": "cpu",
        "--output_path": str(out),
    }
    flat = [word for pair in arguments.items() for word in pair]
    subprocess.run(
        [sys.executable, "-m", "lm_eval", "run", "--tasks", *parts, *flat, "--log_samples"],
        check=True,
        capture_output=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"},
    )
    logged: dict[str, Rows] = {}
    for name, part in parts.items():
        items = {i: item for item, i in part.places.items()}
        with next(out.rglob(f"samples_{name}_*")).open() as file:
            rows = [json.loads(line) for line in file]
        logged[name] = {
            items[row["doc_id"]]: row for row in rows if row["filter"] == part.loaded.filter
        }
    return logged


@pytest.fixture(scope="module")
def both(
    model_folder: Path,
    project: Path,
    make_params: Callable[..., EvaluateParams],
    tmp_path_factory: pytest.TempPathFactory,
) -> Both:
    """Three kinds of task scored by the evaluator and by the command line, in batches of four."""
    prose = {"task": "prose", "metric": "bits_per_byte"}
    params = make_params("colours", "sums", prose, num_fewshot=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        suite = Suite.load(params)
        evaluator = ResidentEvaluator(model_folder, params, suite)
        evaluation = evaluator.evaluate(SPLIT)
        logged = run_command_line(model_folder, suite, tmp_path_factory.mktemp("out"))
    answers = {
        (ready.part.label, item): [instance.resps[0] for instance in asked]
        for ready in evaluator.prepare(SPLIT)
        for item, asked in ready.instances.items()
    }
    scores = {(i.task, i.item): i.score for i in evaluation.items}
    return Both(scores, answers, logged)


def test_items_are_those_of_the_command_line(both: Both) -> None:
    """Both scored the same eight items of each task."""
    expected = {(task, item) for task, rows in both.logged.items() for item in rows}
    assert expected == set(both.scores)
    assert len(both.scores) == 3 * 8


def test_generated_text_equals_the_command_line(both: Both) -> None:
    """Every generated text and its score are lm-eval's, exactly."""
    rows = both.logged["sums"]
    assert len({row["resps"][0][0] for row in rows.values()}) > 4  # the texts differ
    for item, row in rows.items():
        assert row["resps"][0] == both.answers["sums", item]
        assert row["fingerprint"] == both.scores["sums", item]


def test_multiple_choice_equals_the_command_line(both: Both) -> None:
    """With few-shot examples, accuracy is equal and log-likelihoods agree to 1e-4."""
    rows = both.logged["colours"]
    assert {row["acc"] for row in rows.values()} == {0.0, 1.0}
    for item, row in rows.items():
        logged = [(float(said[0][0]), said[0][1] == "True") for said in row["resps"]]
        answers = both.answers["colours", item]
        assert [greedy for _, greedy in logged] == [greedy for _, greedy in answers]
        assert pytest.approx([v for v, _ in logged], abs=1e-4) == [v for v, _ in answers]
        assert row["acc"] == both.scores["colours", item]


def test_rolling_loglikelihood_equals_the_command_line(both: Both) -> None:
    """Texts longer than the context are summed over the same windows."""
    for item, row in both.logged["prose"].items():
        assert pytest.approx(float(row["resps"][0][0]), rel=1e-5) == both.answers["prose", item][0]
