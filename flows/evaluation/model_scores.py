"""Scores models, one after the other, as a run scores its candidates."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.evaluation.evaluate_job import EvaluateJob
from flows.evaluation.evaluation_progress import EvaluationProgress
from flows.evaluation.named_model import check_model_name, is_candidate, model_folder
from flows.evaluation.samples import samples_of
from flows.evaluation.task_choice import TaskChoice, choose_tasks, own_params
from stages.errors import EvaluationError, Faults
from stages.evaluate import stage
from stages.evaluate.groups.group_scores import GroupScore, group_scores
from stages.evaluate.model_checks.model_check import check_model
from stages.files import check_writable, write_whole
from stages.lineage.evaluation import Evaluation
from stages.params.merge_params import MergeParams


@dataclass(frozen=True, slots=True)
class ModelScores:
    """The evaluation of each model, in the order in which they were named."""

    split: str
    weights: dict[str, float]  # of the tasks
    evaluations: dict[str, Evaluation]
    groups: dict[str, tuple[GroupScore, ...]]  # of each model, those that --tasks names


def score_models(job: EvaluateJob, progress: EvaluationProgress) -> ModelScores:
    """Return the scores of the models of ``job``; write the samples where they are asked for.

    Raises:
        GermlineError: a task, a model or a setting cannot be used.
        OSError: the samples cannot be written.
    """
    if job.samples is not None:
        _check_samples(job.samples)
    params = own_params(job)
    own, merge = (params.evaluate, params.merge) if params is not None else (None, None)
    _check_models(job, merge)
    progress.step("loading tasks")
    choice = choose_tasks(job, own)
    _check_folders(job, choice, progress)
    evaluations: dict[str, Evaluation] = {}
    groups: dict[str, tuple[GroupScore, ...]] = {}
    samples: list[dict[str, Any]] = []
    for name in job.models:
        progress.step(f"{name}: loading the model")
        with model_folder(name, merge, offline=job.offline) as folder:
            evaluator = stage.evaluator_of(folder, choice.evaluate, choice.suite)
        ready = evaluator.prepare(choice.split, choice.items)
        num_requests = sum(len(asked) for one in ready for asked, _ in one.prepared)
        progress.step(f"{name}: {_size(choice)}, {num_requests} requests", total=num_requests)
        evaluations[name] = evaluator.evaluate(choice.split, choice.items, progress.advance)
        parts = choice.suite.parts[choice.split]
        groups[name] = group_scores(choice.groups, parts, evaluations[name])
        if job.samples is not None:
            samples += [{"model": name, **one} for one in samples_of(ready, evaluations[name])]
    if job.samples is not None:
        write_whole(job.samples, "".join(_lines(samples)))
    return ModelScores(choice.split, choice.suite.weights, evaluations, groups)


def _check_models(job: EvaluateJob, merge: MergeParams | None) -> None:
    """Check that each model is named once, as its scores are kept by its name, and is there."""
    faults = Faults()
    for name in dict.fromkeys(job.models):
        if job.models.count(name) > 1:
            faults.add(f"model {name}: named twice. Name each model once.")
        with faults.at(""):
            check_model_name(name, merge, offline=job.offline)
    faults.raise_as(EvaluationError)


def _check_folders(job: EvaluateJob, choice: TaskChoice, progress: EvaluationProgress) -> None:
    """Check, where a model would be waited for, that each can be asked what the tasks ask.

    Candidates are not: their weights must be merged before.
    """
    if len(job.models) == 1 or choice.evaluate.backend is not None:
        return
    faults = Faults()
    for name in job.models:
        if not is_candidate(name):
            progress.step(f"{name}: checking the model")
            with (
                faults.at(f"model {name}"),
                model_folder(name, None, offline=job.offline) as folder,
            ):
                check_model(folder, choice.evaluate, choice.suite)
    faults.raise_as(EvaluationError)


def _check_samples(file: Path) -> None:
    """Check that the new file ``file`` can be written."""
    folder = file.absolute().parent
    if file.is_dir():
        raise EvaluationError(f"--samples {file}: is a folder. Give the name of a new file.")
    if file.exists() or file.is_symlink():
        raise EvaluationError(f"--samples {file}: already there. Give a new name.")
    if not folder.exists():
        raise EvaluationError(
            f"--samples {file}: there is no folder {file.parent}. Make it, or give a file in a "
            "folder that is there."
        )
    try:
        check_writable(folder)
    except OSError as error:
        raise EvaluationError(
            f"--samples {file}: cannot be written: {error.strerror or error}. Give another file."
        ) from error


def _size(choice: TaskChoice) -> str:
    tasks = len(choice.suite.parts[choice.split])
    return f"{choice.num_items} items of {tasks} task{'s' if tasks > 1 else ''}"


def _lines(samples: list[dict[str, Any]]) -> Iterator[str]:
    for sample in samples:
        yield json.dumps(sample, ensure_ascii=False) + "\n"
