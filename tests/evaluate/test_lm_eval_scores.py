"""The resident evaluator against lm-eval's own evaluation, item for item.

Against its command line, with 41 kinds of task and 18 kinds of model: ``make parity``.
"""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
from lm_eval.utils import handle_non_serializable

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


def logged_by_lm_eval(model: Path, suite: Suite) -> dict[str, Rows]:
    """Return the samples that lm-eval's ``run`` logs of the items of the split.

    As its command line calls it, but for its index of 10,000 built-in tasks, which takes seconds.
    """
    parts = {part.label: part for part in suite.parts[SPLIT]}
    said = simple_evaluate(
        model="hf",
        model_args=f"pretrained={model},dtype=float32",
        tasks=list(parts),
        task_manager=TaskManager(include_path="tasks", include_defaults=False),
        num_fewshot=2,
        samples={name: sorted(part.places.values()) for name, part in parts.items()},
        batch_size=4,
        device="cpu",
        log_samples=True,
        bootstrap_iters=0,
    )
    logged: dict[str, Rows] = {}
    for name, part in parts.items():
        items = {i: item for item, i in part.places.items()}
        rows = json.loads(json.dumps(said["samples"][name], default=handle_non_serializable))
        logged[name] = {
            items[row["doc_id"]]: row for row in rows if row["filter"] == part.loaded.filter
        }
    return logged


@pytest.fixture(scope="module")
def both(
    model_folder: Path,
    project: Path,
    make_params: Callable[..., EvaluateParams],
) -> Both:
    """Three kinds of task scored by the evaluator and by lm-eval, in batches of four."""
    prose = {"task": "prose", "metric": "bits_per_byte"}
    params = make_params("colours", "sums", prose, num_fewshot=2)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lm-eval's own
        patch.chdir(project)
        suite = Suite.load(params)
        evaluator = ResidentEvaluator(model_folder, params, suite)
        evaluation = evaluator.evaluate(SPLIT)
        logged = logged_by_lm_eval(model_folder, suite)
    answers = {
        (ready.part.label, item): [instance.resps[0] for instance in asked]
        for ready in evaluator.prepare(SPLIT)
        for item, asked in ready.instances.items()
    }
    scores = {(i.task, i.item): i.score for i in evaluation.items}
    return Both(scores, answers, logged)


def test_items_are_those_of_lm_eval(both: Both) -> None:
    """Both scored the same eight items of each task."""
    expected = {(task, item) for task, rows in both.logged.items() for item in rows}
    assert expected == set(both.scores)
    assert len(both.scores) == 3 * 8


def test_generated_text_equals_lm_eval(both: Both) -> None:
    """Every generated text and its score are lm-eval's, exactly."""
    rows = both.logged["sums"]
    assert len({row["resps"][0][0] for row in rows.values()}) > 4  # the texts differ
    for item, row in rows.items():
        assert row["resps"][0] == both.answers["sums", item]
        assert row["fingerprint"] == both.scores["sums", item]


def test_multiple_choice_equals_lm_eval(both: Both) -> None:
    """With few-shot examples, accuracy is equal and log-likelihoods agree to 1e-4."""
    rows = both.logged["colours"]
    assert {row["acc"] for row in rows.values()} == {0.0, 1.0}
    for item, row in rows.items():
        logged = [(float(said[0][0]), said[0][1] == "True") for said in row["resps"]]
        answers = both.answers["colours", item]
        assert [greedy for _, greedy in logged] == [greedy for _, greedy in answers]
        assert pytest.approx([v for v, _ in logged], abs=1e-4) == [v for v, _ in answers]
        assert row["acc"] == both.scores["colours", item]


def test_rolling_loglikelihood_equals_lm_eval(both: Both) -> None:
    """Texts longer than the context are summed over the same windows."""
    for item, row in both.logged["prose"].items():
        assert pytest.approx(float(row["resps"][0][0]), rel=1e-5) == both.answers["prose", item][0]
