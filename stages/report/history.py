"""The course of the search: fitness by generation, as a table and as a picture."""

import io
from collections.abc import Sequence
from statistics import fmean, median
from typing import TYPE_CHECKING

import pandas as pd

from stages.lineage.rows import MEAN, Row, finished

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = (
    "generation",
    "best",
    "best_stderr",
    "mean",
    "median",
    "best_so_far",
    "num_ok",
    "num_failed",
)
_GREY, _PALE, _BLUE, _RED = "#9aa5b1", "#d3d9df", "#3b6ea5", "#c2571a"


def history_frame(rows: Sequence[Row], *, is_raced: bool) -> pd.DataFrame:
    """Return one row for each generation; a generation that failed altogether has no fitness.

    The row of the search's mean belongs to no generation and is left out. ``best_stderr`` is the
    standard error of the best candidate's fitness over items.

    ``is_raced``: each generation was a race on items of its own. Its best is then the best of
    those that answered all of them, and there is no best so far: it would compare unlike items.
    """
    records = []
    ends = {row.name for row in finished(rows)}
    so_far: float | None = None
    for generation in sorted({row.generation for row in rows if row.name != MEAN}):
        found = [row for row in rows if row.generation == generation and row.name != MEAN]
        known = [row.fitness for row in found if row.fitness is not None]
        last = [row for row in found if row.name in ends]
        best = max(last, key=lambda row: row.fitness or 0.0, default=None)
        top = best.fitness if best else None
        if not is_raced:
            so_far = max((f for f in (so_far, top) if f is not None), default=None)
        records.append(
            (
                generation,
                top,
                best.fitness_stderr if best else None,
                fmean(known) if known else None,
                median(known) if known else None,
                so_far,
                len(known),
                len(found) - len(known),
            )
        )
    return pd.DataFrame.from_records(records, columns=list(COLUMNS))


def fitness_svg(rows: Sequence[Row], history: pd.DataFrame, *, is_raced: bool) -> str:
    """Return the picture of fitness by generation as SVG; equal rows, equal bytes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    if is_raced:
        _draw_races(axes, rows, history)
    else:
        _draw_search(axes, rows, history)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, alpha=0.25)
    axes.legend(loc="lower right", frameon=False)
    text = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "germline", "svg.fonttype": "path"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    # matplotlib ends some lines with a space, which editors and git complain about
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _draw_search(axes: "Axes", rows: Sequence[Row], history: pd.DataFrame) -> None:
    """Draw all candidates, the mean of each generation, and the best so far as a staircase."""
    _scatter(axes, rows, _GREY, "candidate")
    axes.plot(history["generation"], history["mean"], color=_BLUE, label="mean")
    generations, best = history["generation"], history["best_so_far"]
    axes.step(generations, best, where="post", color=_RED, label="best so far")
    axes.set_xlabel("generation")
    axes.set_ylabel("fitness on the search split")


def _draw_races(axes: "Axes", rows: Sequence[Row], history: pd.DataFrame) -> None:
    """Draw all candidates and each race's winner with its error; nothing joins two races."""
    ends = {row.name for row in finished(rows)}
    _scatter(axes, [row for row in rows if row.name not in ends], _PALE, "stopped early")
    _scatter(axes, [row for row in rows if row.name in ends], _GREY, "candidate")
    axes.errorbar(
        history["generation"],
        history["best"],
        history["best_stderr"],
        fmt="o",
        markersize=4,
        capsize=2,
        color=_RED,
        label="winner ± standard error",
    )
    axes.set_xlabel("generation: each a race on other items")
    axes.set_ylabel("fitness on the items answered")


def _scatter(axes: "Axes", rows: Sequence[Row], color: str, label: str) -> None:
    scored = [(r.generation, r.fitness) for r in rows if r.fitness is not None and r.name != MEAN]
    generations = [generation for generation, _ in scored]
    axes.scatter(generations, [fitness for _, fitness in scored], s=9, color=color, label=label)
