"""The tasks, settings and split of ``germline evaluate``: params.yaml, and what replaces it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.evaluation.evaluate_job import EvaluateJob
from flows.evaluation.task_names import named_tasks, task_entry
from stages.errors import EvaluationError, ParamsError
from stages.evaluate.arguments.device import check_device
from stages.evaluate.arguments.lm_eval_arguments import MODEL_ARGS
from stages.evaluate.groups.task_group import TaskGroup
from stages.evaluate.tasks.catalogue import own_folder
from stages.evaluate.tasks.suite import Suite
from stages.files import text_of
from stages.hashing import nearest
from stages.lineage.evaluation import ALL_ITEMS, Items
from stages.merge.outputs.model_folder import num_cores
from stages.params.evaluate_params import EvaluateParams
from stages.params.load import PARAMS_PATH, Params, load_params, validated
from stages.yaml_text import document_in

_SET_ELSEWHERE = ("tasks", "include_path", "limit", "batch_size", "device")


@dataclass(frozen=True, slots=True)
class TaskChoice:
    """What models are scored on."""

    evaluate: EvaluateParams
    suite: Suite
    split: str
    items: Items | None
    groups: tuple[TaskGroup, ...] = ()

    @property
    def num_items(self) -> int:
        """The number of items, over all tasks."""
        return self.suite.num_items(self.split) if self.items is None else len(self.items)


def own_params(job: EvaluateJob) -> Params | None:
    """Return the params of this folder's project; None outside a project.

    Raises:
        ParamsError: they are not legal, or they are not there and no task is named.
    """
    if not job.tasks and not PARAMS_PATH.exists():
        raise ParamsError(
            f"{PARAMS_PATH}: no such file, and no task is named. Name tasks with --tasks, or "
            "change to a project's folder."
        )
    return load_params() if not job.tasks or _is_project() else None


def choose_tasks(job: EvaluateJob, own: EvaluateParams | None) -> TaskChoice:
    """Return what the models of ``job`` are scored on, the tasks loaded.

    ``own`` are the params of the project, None outside one.

    Raises:
        GermlineError: a key, a name or a file is wrong, or there is no task.
    """
    folder = _folder(job.include_path)
    own_path = own.include_path if own is not None else None
    names, groups = named_tasks(job.tasks, _labels(own), folder or own_folder(own_path))
    job = replace(job, tasks=names)
    evaluate = _evaluate_params(job, own)
    split = _split(job, own)
    check_device(evaluate.device)
    if split == ALL_ITEMS:
        whole = evaluate.model_copy(update={"limit": job.limit or evaluate.limit})
        return TaskChoice(whole, Suite.of_all_items(whole, folder), split, None, groups)
    suite = Suite.load(evaluate, folder)
    items = _first(suite, split, job.limit) if job.limit is not None else None
    return TaskChoice(evaluate, suite, split, items, groups)


def _is_project() -> bool:
    """Return whether this folder's params.yaml is germline's; other programs have one, too."""
    try:
        document = document_in(text_of(PARAMS_PATH))
    except (FileNotFoundError, ValueError):
        return False
    data = None if document is None else document.plain()
    return isinstance(data, dict) and {"download", "evaluate"} <= data.keys()


def _evaluate_params(job: EvaluateJob, own: EvaluateParams | None) -> EvaluateParams:
    data: dict[str, Any] = {"threads": num_cores()}
    if own is not None:
        data = own.model_dump(exclude_unset=True)
    data |= {"references": {}, "estimator": {}}  # they take part in a search alone
    tasks = data.get("tasks", [])
    if job.tasks:
        by_label = dict(zip(_labels(own), tasks, strict=True))
        tasks = [by_label.get(name) or task_entry(name) for name in job.tasks]
    by_task = {"metric": job.metric, "filter": job.filter}
    ruled = {key: value for key, value in by_task.items() if value is not None}
    data["tasks"] = [{**task, **ruled} for task in tasks]
    for text in job.settings:
        _set(data, text)
    own_keys = {"batch_size": job.batch_size, "device": job.device}
    data |= {key: value for key, value in own_keys.items() if value is not None}
    return validated(EvaluateParams, data, "evaluate")


def _labels(own: EvaluateParams | None) -> list[str]:
    return [task.label for task in own.tasks] if own is not None else []


def _set(data: dict[str, Any], text: str) -> None:
    """Lay ``KEY=VALUE`` over the section; dots in the key lead into its mappings."""
    key, _, value = text.partition("=")
    first, *inner = key.strip().split(".")
    if first in _SET_ELSEWHERE:
        option = first.replace("_", "-")
        raise ParamsError(f"--set {text}: {first} has an option of its own. Give --{option}.")
    if first in MODEL_ARGS and first not in EvaluateParams.model_fields:
        raise ParamsError(
            f"--set {text}: {first} is an argument of the model. Give model_args.{text.strip()}."
        )
    try:
        document = document_in(value)
    except ValueError as error:
        fault = str(error).removeprefix("line 1: ")
        raise ParamsError(f"--set {text:.200}: {fault}. Quote a text.") from error
    read = None if document is None else document.plain()
    for name in reversed(inner):
        read = {name: read}
    data[first] = _laid_over(data.get(first), read)


def _laid_over(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, Mapping):
        return new
    return {**old, **{key: _laid_over(old.get(key), value) for key, value in new.items()}}


def _split(job: EvaluateJob, own: EvaluateParams | None) -> str:
    """Return the split: the test split where all tasks are the project's own, else all items."""
    if job.split is None:
        return "test" if set(job.tasks) <= set(_labels(own)) else ALL_ITEMS
    return job.split


def _folder(include_path: Path | None) -> Path | None:
    if include_path is None:
        return None
    if not include_path.is_dir():
        above = include_path.parent
        there = [p.name for p in above.iterdir() if p.is_dir()] if above.is_dir() else []
        raise EvaluationError(
            f"--include-path {include_path}: not a folder. Give a folder of lm-eval task files "
            f"(*.yaml).{nearest(include_path.name, sorted(there))}"
        )
    return include_path


def _first(suite: Suite, split: str, limit: int) -> Items:
    """Return the first items of each task in the split."""
    parts = {part.label: list(part.places)[:limit] for part in suite.parts[split]}
    return tuple((label, item) for label, items in parts.items() for item in items)
