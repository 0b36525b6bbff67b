"""Shows the scores of models: a table for people, JSON for programs."""

import json
import shutil
import sys
from dataclasses import asdict
from itertools import combinations
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from flows.evaluation.model_scores import ModelScores
from stages.evaluate.groups.group_scores import GroupScore
from stages.lineage.evaluation import Evaluation, fitness_error, task_error
from stages.lineage.paired_tests import Comparison, compare, p_text

_WIDE = 10_000  # columns: a file or a pipe has no edge at which to break lines


def print_table(scores: ModelScores) -> None:
    """Print a row for each task, a column for each model, and how the models differ."""
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else _WIDE
    console = Console(highlight=False, width=width)
    table = Table(box=box.SIMPLE_HEAD, title=f"{scores.split} items", title_justify="left")
    for column in ("task", "metric", "items"):
        table.add_column(column, justify="right" if column == "items" else "left")
    for name in scores.evaluations:
        table.add_column(name, justify="right", overflow="fold")
    for task, metric, items, *values in _rows(scores):
        table.add_row(task, metric, items, *values)
    console.print(table, markup=False)
    for first, second, comparison in _comparisons(scores):
        console.print(
            f"{second} less {first}: {comparison.difference:+.4f} ± {comparison.stderr:.4f}, "
            f"p {p_text(comparison.p_value)}",
            markup=False,
        )


def print_json(scores: ModelScores) -> None:
    """Print the scores as one JSON object."""
    models = [_model(name, one, scores) for name, one in scores.evaluations.items()]
    differences = [
        {
            "first": first,
            "second": second,
            "difference": comparison.difference,
            "stderr": comparison.stderr,
            "p_value": comparison.p_value,
        }
        for first, second, comparison in _comparisons(scores)
    ]
    data = {"split": scores.split, "models": models, "differences": differences}
    print(json.dumps(data, indent=2, ensure_ascii=False))  # noqa: T201  the command's output


def _rows(scores: ModelScores) -> list[list[str]]:
    evaluations = list(scores.evaluations.values())
    rows = []
    for number, task in enumerate(evaluations[0].tasks):
        values = [
            f"{one.tasks[number].score:.4f} ± {task_error(one, task.task):.4f}"
            for one in evaluations
        ]
        metric = task.metric + ("" if task.higher_is_better else " (lower is better)")
        rows.append([task.task, metric, str(task.num_items), *values])
    rows += _group_rows(scores)
    if len(evaluations[0].tasks) > 1:
        means = [
            f"{one.fitness(scores.weights):.4f} ± {fitness_error(one, scores.weights):.4f}"
            for one in evaluations
        ]
        total = sum(task.num_items for task in evaluations[0].tasks)
        rows.append(["all tasks", "fitness", str(total), *means])
    return rows


def _group_rows(scores: ModelScores) -> list[list[str]]:
    """Return a row for each metric of each group, which is the same for all models."""
    of_models = list(scores.groups.values())
    rows = []
    for number, group in enumerate(of_models[0]):
        values = [f"{one[number].score:.4f}{_plus_minus(one[number])}" for one in of_models]
        metric = group.metric + ("" if group.higher_is_better else " (lower is better)")
        rows.append([f"{group.group} (group)", metric, str(group.num_items), *values])
    return rows


def _plus_minus(group: GroupScore) -> str:
    return "" if group.stderr is None else f" ± {group.stderr:.4f}"


def _model(name: str, evaluation: Evaluation, scores: ModelScores) -> dict[str, Any]:
    tasks = [
        {
            "task": one.task,
            "metric": one.metric,
            "score": one.score,
            "stderr": one.stderr,
            "error": task_error(evaluation, one.task),
            "num_items": one.num_items,
            "higher_is_better": one.higher_is_better,
        }
        for one in evaluation.tasks
    ]
    return {
        "model": name,
        "fitness": evaluation.fitness(scores.weights),
        "error": fitness_error(evaluation, scores.weights),
        "tasks": tasks,
        "groups": [asdict(group) for group in scores.groups[name]],
    }


def _comparisons(scores: ModelScores) -> list[tuple[str, str, Comparison]]:
    """Return how each later model differs from each earlier one, item by item."""
    pairs = combinations(scores.evaluations.items(), 2)
    return [(one, two, compare(b, a, scores.weights)) for (one, a), (two, b) in pairs]
