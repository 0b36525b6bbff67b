"""The same weights have the same scores: again, in another process, order and batch.

Scores of items are compared bit for bit; log-likelihoods that stand behind them may differ by
rounding between batches of other shapes (docs/tasks.md), never where all is the same.
"""

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch

from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.evaluate.tasks.suite import Suite
from stages.lineage.evaluation import ALL_ITEMS
from stages.params.evaluate_params import EvaluateParams
from tests.parity import kinds_of_model, kinds_of_task
from tests.parity.both_sides import CLOSE

pytestmark = pytest.mark.parity

MODELS = ("llama", "gemma3", "qwen3_5", "mamba", "falcon_h1", "gpt2", "mixtral")
TASKS = (
    *("choice_letters", "choice_texts", "choice_shown", "choice_mutual", "said", "rolled_bytes"),
    *("written", "written_overlapping", "written_penalty", "written_filters", "written_python"),
)

Scores = dict[tuple[str, str], Any]


def params_of(batch_size: int) -> EvaluateParams:
    """Return the tasks, asked in batches of this size."""
    tasks = [{"task": task} for task in TASKS]
    return EvaluateParams.model_validate({"tasks": tasks, "batch_size": batch_size})


def scored(folder: Path, batch_size: int, *, backwards: bool = False, times: int = 1) -> list[Any]:
    """Return (scores by item, log-likelihoods by item, scores by task), each of several times."""
    params = params_of(batch_size)
    suite = Suite.of_all_items(params, Path("tasks"))
    items = tuple(reversed(suite.items(ALL_ITEMS))) if backwards else None
    evaluator = ResidentEvaluator(folder, params, suite)
    results = []
    for _ in range(times):
        evaluation = evaluator.evaluate(ALL_ITEMS, items)
        likelihoods: Scores = {
            (one.part.label, item): [_likelihood(a) for a in asked if a.resps]
            for one in evaluator.prepare(ALL_ITEMS, items)
            for item, asked in one.instances.items()
        }
        by_item: Scores = {(i.task, i.item): i.score for i in evaluation.items}
        totals = {total.task: total.score for total in evaluation.tasks}
        results.append((by_item, likelihoods, totals))
    return results


def _likelihood(instance: Any) -> Any:
    answer = instance.resps[0]
    return answer[0] if isinstance(answer, tuple) else answer


def _work(folder: Path, batch_size: int, queue: Any) -> None:
    torch.set_num_threads(1)
    queue.put(scored(folder, batch_size))


@pytest.mark.parametrize("name", MODELS)
def test_equal_weights_have_equal_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Twice and in two other processes bit for bit; in another order and batch, every score."""
    monkeypatch.chdir(tmp_path)
    texts = kinds_of_task.write_tasks(tmp_path)
    folder = kinds_of_model.write_kind(name, tmp_path / "model", texts)
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=_work, args=(folder, 5, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    first, again = scored(folder, 5, times=2)
    ((one,), (two,)) = queue.get(), queue.get()
    for worker in workers:
        worker.join()
    assert first == again == one == two
    by_item, likelihoods, _ = first
    farthest = 0.0
    for batch_size, backwards in ((1, False), (5, True), (64, False)):
        ((others, other_likelihoods, _),) = scored(folder, batch_size, backwards=backwards)
        assert by_item == others
        for item, values in likelihoods.items():
            pairs = zip(values, other_likelihoods[item], strict=True)
            for value, other in pairs:
                if isinstance(value, float):
                    distance = abs(value - other) / max(1.0, abs(value))
                    farthest = max(farthest, distance)
                else:
                    assert value == other
    print(f"{name}: {len(by_item)} items; log-likelihoods differ by {farthest:.1e} at most")
    assert farthest <= CLOSE
