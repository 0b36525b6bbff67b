"""Scores models, one after the other, as a run scores its candidates."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flows.evaluation.evaluate_job import EvaluateJob
from flows.evaluation.evaluation_progress import EvaluationProgress
from flows.evaluation.named_model import model_folder
from flows.evaluation.samples import samples_of
from flows.evaluation.task_choice import TaskChoice, choose_tasks
from stages.errors import EvaluationError
from stages.evaluate import stage
from stages.files import check_writable, write_whole
from stages.lineage.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class ModelScores:
    """The evaluation of each model, in the order in which they were named."""

    split: str
    weights: dict[str, float]  # of the tasks
    evaluations: dict[str, Evaluation]


def score_models(job: EvaluateJob, progress: EvaluationProgress) -> ModelScores:
    """Return the scores of the models of ``job``; write the samples where they are asked for.

    Raises:
        GermlineError: a task, a model or a setting cannot be used.
        OSError: the samples cannot be written.
    """
    if job.samples is not None:
        _check_samples(job)
    progress.step("loading tasks")
    choice = choose_tasks(job)
    evaluations: dict[str, Evaluation] = {}
    samples: list[dict[str, Any]] = []
    for name in dict.fromkeys(job.models):
        progress.step(f"{name}: loading the model")
        with model_folder(name, choice.params, offline=job.offline) as folder:
            evaluator = stage.evaluator_of(folder, choice.evaluate, choice.suite)
        ready = evaluator.prepare(choice.split, choice.items)
        num_requests = sum(len(asked) for one in ready for asked, _ in one.prepared)
        progress.step(f"{name}: {_size(choice)}, {num_requests} requests", total=num_requests)
        evaluations[name] = evaluator.evaluate(choice.split, choice.items, progress.advance)
        if job.samples is not None:
            samples += [{"model": name, **one} for one in samples_of(ready, evaluations[name])]
    if job.samples is not None:
        write_whole(job.samples, "".join(_lines(samples)))
    return ModelScores(choice.split, choice.suite.weights, evaluations)


def _check_samples(job: EvaluateJob) -> None:
    if job.samples is None:
        return
    if job.samples.is_dir():
        raise EvaluationError(f"--samples {job.samples}: is a folder. Give the name of a file.")
    try:
        check_writable(job.samples.absolute().parent)
    except OSError as error:
        raise EvaluationError(
            f"--samples {job.samples}: cannot be written: {error.strerror or error}. Give another "
            "file."
        ) from error


def _size(choice: TaskChoice) -> str:
    tasks = len(choice.suite.parts[choice.split])
    return f"{choice.num_items} items of {tasks} task{'s' if tasks > 1 else ''}"


def _lines(samples: list[dict[str, Any]]) -> Iterator[str]:
    for sample in samples:
        yield json.dumps(sample, ensure_ascii=False) + "\n"
