"""The comparison of two runs in words, and as plain data."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from flows.inspection.rows.difference_text import print_pairs, scores_table
from flows.inspection.runs.run_comparison import RunComparison, RunFigures
from flows.inspection.terminal_text import printable
from stages.lineage.evaluation import SPLITS
from stages.lineage.paired_tests import Comparison, p_text

_NONE = "-"


def comparison_data(comparison: RunComparison) -> dict[str, Any]:
    """Return the comparison as plain JSON data; differences are the first run less the second."""
    params = comparison.params
    return {
        "runs": [_run_data(run) for run in (comparison.first, comparison.second)],
        "splits": [asdict(split) for split in comparison.splits],
        "params": None if params is None else {k: list(v) for k, v in params.items()},
        "task_weights": {k: list(v) for k, v in comparison.weights.items()},
    }


def _run_data(run: RunFigures) -> dict[str, Any]:
    return {
        "name": run.name,
        "best": run.best.name,
        "id": run.best.id,
        "is_champion": run.is_champion,
        "figures": {split: asdict(figure) for split, figure in run.figures.items()},
        "lead": asdict(run.lead) if run.lead is not None else None,
        "tuned_lead": asdict(run.tuned_lead) if run.tuned_lead is not None else None,
        "expected": run.expected,
        "candidates": run.num_candidates,
        "failed": run.num_failed,
        "items": dict(run.items),
        "seed": run.seed,
    }


def print_comparison(console: Console, comparison: RunComparison) -> None:
    """Print the figures of both runs, how their champions differ, and what params differ."""
    runs = (comparison.first, comparison.second)
    names = [printable(run.name) for run in runs]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", overflow="fold")
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for label, cell in _lines():
        cells = [cell(run) for run in runs]
        if set(cells) != {_NONE}:
            table.add_row(label, *cells)
    console.print(table)
    for split in comparison.splits:
        title = f"{split.split}, {split.num_shared} shared items: {names[0]} less {names[1]}"
        console.print(scores_table(split, title))
    if not comparison.splits:
        console.print("No item was answered by both, so the scores cannot be compared in pairs.")
    if comparison.weights:
        console.print("The tasks weigh otherwise in the second run; the first's weights count.")
        print_pairs(console, "Task weights", comparison.weights, names)
    if comparison.params is None:
        console.print("Params: not known of both runs")
    else:
        print_pairs(console, "Params", comparison.params, names)


def _lines() -> Sequence[tuple[str, Callable[[RunFigures], str]]]:
    return (
        ("champion", lambda run: printable(run.best.name) if run.is_champion else _NONE),
        ("best of the search", lambda run: _NONE if run.is_champion else printable(run.best.name)),
        *((f"{split} fitness", _fitness(split)) for split in reversed(SPLITS)),
        ("expected on new items", lambda run: _number(run.expected)),
        ("lead over the best parent", lambda run: _lead(run.lead)),
        ("lead over the best tuned baseline", lambda run: _lead(run.tuned_lead)),
        ("candidates", lambda run: f"{run.num_candidates} ({run.num_failed} failed)"),
        *((f"{split} items", _items(split)) for split in SPLITS),
        ("seed", lambda run: _NONE if run.seed is None else str(run.seed)),
        ("recipe id", lambda run: run.best.id[:16]),
    )


def _fitness(split: str) -> Callable[[RunFigures], str]:
    def cell(run: RunFigures) -> str:
        figure = run.figures.get(split)
        return _NONE if figure is None else f"{figure.fitness:.4f} ± {figure.error:.4f}"

    return cell


def _items(split: str) -> Callable[[RunFigures], str]:
    return lambda run: str(run.items.get(split, _NONE))


def _lead(lead: Comparison | None) -> str:
    if lead is None:
        return _NONE
    return f"{lead.difference:+.4f} ± {lead.stderr:.4f}, p {p_text(lead.p_value)}"


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.4f}"
