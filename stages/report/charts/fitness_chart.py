"""Fitness by generation, as SVG."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stages.report.search_course import ScoredCandidate
from stages.report.story import Story

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREY, _PALE, _BLUE, _RED = "#9aa5b1", "#d3d9df", "#3b6ea5", "#c2571a"


def fitness_svg(story: Story) -> str:
    """Return the picture of fitness by generation; equal stories, equal bytes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    if story.is_raced:
        _draw_races(axes, story)
    else:
        _draw_search(axes, story)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, alpha=0.25)
    axes.legend(loc="lower right", frameon=False)
    text = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "germline", "svg.fonttype": "path"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    # matplotlib ends some lines with a space, which editors and git complain about
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _draw_search(axes: "Axes", story: Story) -> None:
    """Draw all candidates, the mean of each generation, and the best so far as a staircase."""
    generations = [figures.generation for figures in story.generations]
    means = _gaps([figures.mean for figures in story.generations])
    best = _gaps([figures.best_so_far for figures in story.generations])
    _scatter(axes, story.candidates, _GREY, "candidate")
    axes.plot(generations, means, color=_BLUE, label="mean")
    axes.step(generations, best, where="post", color=_RED, label="best so far")
    axes.set_xlabel("generation")
    axes.set_ylabel("fitness on the search split")


def _draw_races(axes: "Axes", story: Story) -> None:
    """Draw all candidates and each race's winner with its error; nothing joins two races."""
    _scatter(axes, [c for c in story.candidates if not c.is_finished], _PALE, "stopped early")
    _scatter(axes, [c for c in story.candidates if c.is_finished], _GREY, "candidate")
    axes.errorbar(
        [figures.generation for figures in story.generations],
        _gaps([figures.best for figures in story.generations]),
        _gaps([figures.best_stderr for figures in story.generations]),
        fmt="o",
        markersize=4,
        capsize=2,
        color=_RED,
        label="winner ± standard error",
    )
    axes.set_xlabel("generation: each a race on other items")
    axes.set_ylabel("fitness on the items answered")


def _scatter(axes: "Axes", candidates: Sequence[ScoredCandidate], color: str, label: str) -> None:
    generations = [candidate.generation for candidate in candidates]
    fitnesses = [candidate.fitness for candidate in candidates]
    axes.scatter(generations, fitnesses, s=9, color=color, label=label)


def _gaps(values: Sequence[float | None]) -> list[float]:
    """Return the values with NaN, which matplotlib leaves out, where there is none."""
    return [float("nan") if value is None else value for value in values]
