"""Rows as a table for a terminal: the columns that fit, the most wanted first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from flows.inspection.row_scores import SplitFigure, figures_of
from flows.inspection.rows.listing import tasks_of
from flows.inspection.stored_lineage import StoredLineage
from flows.inspection.terminal_text import printable
from stages.lineage.evaluation import SPLITS
from stages.lineage.rows import Row

_PADDING = 3  # columns between two
_ID_DIGITS = 12
_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Column:
    """The cells of one column, and whether they are figures."""

    title: str
    cells: tuple[str, ...]
    is_figure: bool = True

    @property
    def width(self) -> int:
        """The columns of the terminal that it takes, its title broken at underscores."""
        lines = [*self.heading.split("\n"), *self.cells]
        return max(len(line) for line in lines) + _PADDING

    @property
    def heading(self) -> str:
        """The title on short lines."""
        return self.title.replace("_", "_\n") if len(self.title) > 10 else self.title


def print_rows(
    console: Console, lineage: StoredLineage, rows: Sequence[Row], tasks: Sequence[str] = ()
) -> None:
    """Print rows; what the width has no room for is named below, and how to read it.

    ``tasks`` are those whose scores are shown; none: all.
    """
    if not rows:
        console.print(f"none of {len(lineage.rows)} candidates")
        return
    columns = columns_for(lineage, rows, tasks)
    num_shown = _num_fitting(columns, console.width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns[:num_shown]:
        justify = "right" if column.is_figure else "left"
        table.add_column(column.heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for cells in zip(*(column.cells for column in columns[:num_shown]), strict=True):
        table.add_row(*cells)
    console.print(table)
    if num_shown < len(columns):
        missing = ", ".join(column.title for column in columns[num_shown:])
        console.print(f"No room for {missing}: a wider terminal, --csv and --json have them.")


def columns_for(
    lineage: StoredLineage, rows: Sequence[Row], tasks: Sequence[str] = ()
) -> list[Column]:
    """Return the columns that have something to say, the most wanted first."""
    weights = lineage.weights
    figures = [figures_of(row, weights) for row in rows]
    search = [by_split.get(SPLITS[0]) for by_split in figures]
    columns = [
        Column("name", tuple(printable(row.name) for row in rows), is_figure=False),
        Column("fitness", tuple(_fitness(*pair) for pair in zip(rows, search, strict=True))),
    ]
    wanted = tasks or tasks_of(lineage.rows)
    columns += [Column(printable(task), _scores(search, task)) for task in wanted]
    columns.append(Column("items", tuple(str(row.num_items or _NOTHING) for row in rows)))
    for split in SPLITS[1:]:
        cells = tuple(_with_error(by_split.get(split)) for by_split in figures)
        columns.append(Column(split, cells))
    methods = tuple(printable(row.recipe.method) for row in rows)
    if len({row.recipe.method for row in lineage.rows}) > 1:
        columns.append(Column("method", methods, is_figure=False))
    ids = tuple(row.id[:_ID_DIGITS] for row in rows)
    columns.append(Column("id", ids, is_figure=False))
    ancestors = tuple(printable(" ".join(row.ancestors)) for row in rows)
    columns.append(Column("ancestors", ancestors, is_figure=False))
    errors = tuple(printable(row.error or "").replace("\n", " ") for row in rows)
    columns.append(Column("error", errors, is_figure=False))
    optional = (*SPLITS[1:], "error", "ancestors")
    return [c for c in columns if c.title not in optional or _says_something(c)]


def _num_fitting(columns: Sequence[Column], width: int) -> int:
    """Return how many of the columns fit; two always do."""
    used, number = 2, 0  # the edges
    for column in columns:
        used += column.width
        if used > width and number >= 2:
            break
        number += 1
    return number


def _says_something(column: Column) -> bool:
    return any(cell not in ("", _NOTHING) for cell in column.cells)


def _fitness(row: Row, figure: SplitFigure | None) -> str:
    return _with_error(figure) if figure is not None else row.status


def _with_error(figure: SplitFigure | None) -> str:
    return _NOTHING if figure is None else f"{figure.fitness:.4f} ± {figure.error:.4f}"


def _scores(figures: Sequence[SplitFigure | None], task: str) -> tuple[str, ...]:
    by_task: list[Mapping[str, float]] = [
        {one.task: one.score for one in figure.tasks} if figure is not None else {}
        for figure in figures
    ]
    return tuple(f"{one[task]:.4f}" if task in one else _NOTHING for one in by_task)
