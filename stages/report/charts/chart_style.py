"""What all charts share: colours, sizes, zoom, and the candidate that is picked."""

from typing import Any

import altair as alt

PICKED = "picked"  # the name of the candidate that the reader has clicked
IS_PICKED = f"datum.name === {PICKED}"
COLOURS = {"win": "#1a7f5a", "loss": "#c2410c", "undecided": "#7b8794", "other": "#5b7fa6"}
# A scale of few generations has ticks between them; a scan is generation -1.
GENERATION_LABELS = "datum.value === -1 ? 'scan' : datum.value % 1 === 0 ? datum.label : ''"
# From poor to good, readable on white and on black, also for the colour-blind.
SCORE_RANGE = ["#7a6a9b", "#3f8fa8", "#58b368", "#e3b505"]


def candidates() -> alt.NamedData:
    """Return the data of all scored candidates."""
    return alt.NamedData(name="candidates")


def picked() -> alt.Parameter:
    """Return the parameter that the page sets when a candidate is clicked."""
    return alt.param(name=PICKED, value="")


def zoom(name: str) -> alt.Parameter:
    """Return zooming with Shift and the wheel, moving by dragging; a double click ends both.

    Without Shift the wheel scrolls the page.
    """
    return alt.selection_interval(name=name, bind="scales", zoom="wheel![event.shiftKey]")


def where(channel: Any, test: str, passed: Any, otherwise: Any) -> Any:
    """Return ``channel`` with the value ``passed`` where the expression ``test`` holds.

    ``alt.condition`` is looked up in all of Vega-Lite's schema, which is most of a page's time.
    """
    return channel(otherwise, condition={"test": test, "value": passed})


def score_colour(title: str = "fitness") -> alt.Color:
    """Return the colours of fitness."""
    scale = alt.Scale(range=SCORE_RANGE, interpolate="rgb")
    legend = alt.Legend(orient="top", gradientLength=160)
    return alt.Color("fitness:Q", title=title, scale=scale, legend=legend)


def candidate_tooltip(fitness: str) -> list[alt.Tooltip]:
    """Return what hovering over a candidate shows; ``fitness`` is what its fitness is called."""
    return [
        alt.Tooltip("name:N", title="candidate"),
        alt.Tooltip("fitness:Q", title=fitness, format=".3f"),
        alt.Tooltip("stderr:Q", title="standard error", format=".3f"),
        alt.Tooltip("generation:Q"),
        alt.Tooltip("scores:N", title="by task"),
        alt.Tooltip("genes:N"),
    ]


def finish(
    chart: alt.Chart | alt.LayerChart | alt.FacetChart, *, height: int, says: str
) -> dict[str, Any]:
    """Return a chart's specification; ``says`` is read aloud where nobody looks."""
    spec: dict[str, Any] = (
        chart.properties(width="container", height=height, description=says)
        .configure(
            background="transparent",
            view=alt.ViewConfig(stroke="#7b879466"),
            font="system-ui, sans-serif",
            axis=alt.AxisConfig(labelFontSize=12, titleFontSize=12, titleFontWeight="normal"),
            # Pixels between labels: the last one is moved in by half of its width.
            axisX=alt.AxisConfig(labelSeparation=16),
            legend=alt.LegendConfig(labelFontSize=12, titleFontSize=12, titleFontWeight="normal"),
        )
        .to_dict(validate=False)
    )
    return spec
