"""The course of the search: fitness by generation, as a table and as a picture."""

import io
from collections.abc import Sequence
from statistics import fmean, median

import pandas as pd

from stages.lineage import MEAN, Row, finished

COLUMNS = ("generation", "best", "mean", "median", "best_so_far", "num_ok", "num_failed")


def history_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return one row for each generation; a generation that failed altogether has no fitness.

    The row of the search's mean belongs to no generation and is left out. Where a race stopped
    candidates early, the best is that of those that answered all items.
    """
    records = []
    ends = {row.name for row in finished(rows)}
    so_far: float | None = None
    for generation in sorted({row.generation for row in rows if row.name != MEAN}):
        found = [row for row in rows if row.generation == generation and row.name != MEAN]
        known = [row.fitness for row in found if row.fitness is not None]
        last = [row.fitness for row in found if row.fitness is not None and row.name in ends]
        best = max(last, default=None)
        so_far = max((f for f in (so_far, best) if f is not None), default=None)
        records.append(
            (
                generation,
                best,
                fmean(known) if known else None,
                median(known) if known else None,
                so_far,
                len(known),
                len(found) - len(known),
            )
        )
    return pd.DataFrame.from_records(records, columns=list(COLUMNS))


def fitness_svg(rows: Sequence[Row], history: pd.DataFrame) -> str:
    """Return the picture of fitness by generation as SVG; equal rows, equal bytes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    scored = [(r.generation, r.fitness) for r in rows if r.fitness is not None and r.name != MEAN]
    axes.scatter(
        [generation for generation, _ in scored],
        [fitness for _, fitness in scored],
        s=9,
        color="#9aa5b1",
        label="candidate",
    )
    axes.plot(history["generation"], history["mean"], color="#3b6ea5", label="mean")
    axes.step(
        history["generation"],
        history["best_so_far"],
        where="post",
        color="#c2571a",
        label="best so far",
    )
    axes.set_xlabel("generation")
    axes.set_ylabel("fitness on the search split")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, alpha=0.25)
    axes.legend(loc="lower right", frameon=False)
    text = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "germline", "svg.fonttype": "path"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    # matplotlib ends some lines with a space, which editors and git complain about
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
