"""A params.yaml for models and tasks that were looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil
import yaml

from flows.workspace.budget import Budget
from flows.workspace.survey.parent_survey import Survey
from flows.workspace.survey.question_survey import SurveyedTask
from flows.workspace.survey.run_size import RunSize, candidates_in, size_of
from stages.errors import ParamsError
from stages.params.evaluate_params import SplitSizes
from stages.params.load import Params, validated
from stages.params.task_params import TaskParams

_HEAD = """\
# What is evolved from what, on which tasks, and how. Written by `germline new`; every key is
# described in germline's docs/params.md, and `germline doctor` checks all of it.
"""
_FEWEST = 8  # questions of a task: two to search, two to choose, four to test
_SMALL, _POPULATION = 8, 12  # between them is the size that leaves least of a budget over
_SECONDS = 300
DEFAULT_CANDIDATES = 144


@dataclass(frozen=True, slots=True)
class FittingParams:
    """The text of params.yaml, what it says, and how large its run will be."""

    text: str
    params: Params
    size: RunSize


def fitting_params(
    title: str,
    download: Mapping[str, Any],
    models: Survey,
    tasks: Sequence[Mapping[str, Any]],
    questions: Sequence[SurveyedTask],
    budget: Budget,
) -> FittingParams:
    """Return params for these models and tasks within ``budget``.

    Raises:
        ParamsError: a file has too few questions, or the budget is too small for a search.
    """
    sections: dict[str, Any] = {
        "download": dict(download),
        "merge": {  # dvc.yaml names modules and tokenizer
            "dtype": "bfloat16",
            "modules": [],
            "tokenizer": models.tokenizer,
            "keep": "elite",
        },
        "evaluate": _evaluate(models, tasks, questions),
        "select": _select(models, DEFAULT_CANDIDATES),
        "report": {"title": title},
    }
    asked = budget.candidates
    if budget.minutes is not None:
        asked = candidates_in(budget.minutes, _params(sections), models, questions)
    if asked is not None:
        sections["select"] = _select(models, asked)
    params = _params(sections)
    size = size_of(params, models, questions)
    per_candidate_s = 60 * size.minutes / size.candidates * params.evaluate.workers
    if 10 * per_candidate_s > _SECONDS:
        sections["evaluate"]["timeout_s"] = float(round(10 * per_candidate_s, -2))
        params = _params(sections)
    body = "\n".join(
        yaml.safe_dump({name: section}, sort_keys=False, width=99, allow_unicode=True)
        for name, section in sections.items()
    )
    return FittingParams(_HEAD + body, params, size)


def _params(sections: Mapping[str, Any]) -> Params:
    return validated(Params, sections, "params.yaml")


def _evaluate(
    models: Survey, tasks: Sequence[Mapping[str, Any]], questions: Sequence[SurveyedTask]
) -> dict[str, Any]:
    listed, context = [], models.context
    for task, question in zip(tasks, questions, strict=True):
        length = question.max_gen_toks(context)
        own = {} if length is None else {"gen_kwargs": {"max_gen_toks": length}}
        listed.append({**task, **own})
    device = _device()
    return {
        "tasks": listed,
        "splits": _splits(questions),
        **({"device": device, "model_args": {"dtype": "bfloat16"}} if device != "cpu" else {}),
        "workers": 1 if device != "cpu" else _workers(models),
    }


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _workers(models: Survey) -> int:
    """Return how many models of 32 bits fit into two thirds of the free memory, by cores."""
    one = models.base.num_params * 4 * 1.5 + 5e8
    fit = int(psutil.virtual_memory().available * 2 / 3 / one)
    return max(1, min(psutil.cpu_count() or 1, fit, 8))


def _splits(questions: Sequence[SurveyedTask]) -> dict[str, int]:
    """Return the default sizes, or a quarter, a quarter and a half of the smallest file."""
    default = SplitSizes()
    counted = [q for q in questions if q.num_items is not None]
    if not counted:
        return default.model_dump()
    smallest = min(counted, key=lambda question: question.num_items or 0)
    count = smallest.num_items or 0
    if count < _FEWEST:
        raise ParamsError(
            f"task {smallest.label}: holds {count} different questions. A search needs at least "
            f"{_FEWEST}: to search, to choose and to test; some hundreds are better."
        )
    if count >= default.search + default.validation + default.test:
        return default.model_dump()
    return {"search": count // 4, "validation": count // 4, "test": count - 2 * (count // 4)}


def _select(models: Survey, candidates: int) -> dict[str, Any]:
    least = 2 + len(models.parents)  # the warm starts: two means, and each parent alone
    if candidates < least:
        raise ParamsError(
            f"--budget: {candidates} candidates. At least {least} are needed here: the uniform "
            "mean, task arithmetic and each parent alone come first."
        )
    sizes = range(max(least, _SMALL), max(least, _POPULATION) + 1)
    within = [size for size in sizes if size <= candidates] or [candidates]
    population = max(within, key=lambda size: (candidates // size * size, size))
    layers = models.base.number("num_hidden_layers") or 1
    return {
        "optimizer": "CMA",
        "population": population,
        "generations": max(1, candidates // population),
        "seed": 1,
        "space": {
            "methods": ["task_arithmetic"],
            "weight": [0.0, 1.5],
            "layer_groups": min(3, layers),
        },
        "warm_start": ["uniform", "task_arithmetic", "parents"],
        "shortlist": min(5, population),
    }


def named_tasks(tasks: Sequence[Mapping[str, Any]]) -> list[TaskParams]:
    """Return the entries of evaluate.tasks, checked."""
    return [validated(TaskParams, task, "evaluate.tasks") for task in tasks]
