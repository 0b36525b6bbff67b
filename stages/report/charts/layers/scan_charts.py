"""The maps of a scan: fitness by cut and pair of models, and by start and length of a block."""

from typing import Any

import altair as alt

from stages.report.charts.chart_style import IS_PICKED, SCORE_RANGE, finish, picked, where

_ROW = 26  # pixels
_MOST_NUMBERS = 14  # columns; the numbers of more do not fit on a telephone
Bounds = tuple[float, float]


def splice_map(num_pairs: int, highest: int, bounds: Bounds) -> dict[str, Any]:
    """Return a field for each cut, 1 to ``highest``, and ordered pair of models.

    ``bounds`` are those of fitness.
    """
    across = alt.X(
        "cut:O",
        title="layers of the first model, before the cut",
        axis=alt.Axis(labelAngle=0, labelOverlap=True),
        scale=alt.Scale(domain=list(range(1, highest + 1))),
    )
    down = alt.Y("pair:N", sort=None, title=None, axis=alt.Axis(labelLimit=170))
    tooltip = [
        alt.Tooltip("first:N", title="first"),
        alt.Tooltip("second:N", title="then"),
        alt.Tooltip("cut:O", title="cut before layer"),
    ]
    says = "Fitness of every splice with one cut, by the cut and the ordered pair of models."
    return _map("scan_splices", across, down, tooltip, num_pairs, highest, bounds, says)


def repeat_map(
    number: int, model: str, num_rows: int, starts: tuple[int, int], bounds: Bounds
) -> dict[str, Any]:
    """Return a field for each block of ``model`` that was run twice, by its start and length.

    ``starts`` are the first and the last layer with which a block of any model starts.
    """
    columns = list(range(starts[0], starts[1] + 1))
    across = alt.X(
        "start:O",
        title="first layer of the block",
        axis=alt.Axis(labelAngle=0, labelOverlap=True),
        scale=alt.Scale(domain=columns),
    )
    down = alt.Y("block:N", sort=None, title=None)
    tooltip = [
        alt.Tooltip("model:N"),
        alt.Tooltip("start:O", title="first layer"),
        alt.Tooltip("length:O", title="layers"),
        alt.Tooltip("gains:N"),
    ]
    says = f"Fitness of {model} with a block run twice, by the block's first layer and length."
    data = f"scan_repeats_{number}"
    return _map(data, across, down, tooltip, num_rows, len(columns), bounds, says)


def _map(  # what two maps differ in
    data: str,
    across: alt.X,
    down: alt.Y,
    tooltip: list[alt.Tooltip],
    num_rows: int,
    num_columns: int,
    bounds: Bounds,
    says: str,
) -> dict[str, Any]:
    low, high = bounds
    dark_end = low + (high - low) / 4  # up to there white is easier to read than dark ink
    tooltip = [
        alt.Tooltip("name:N", title="candidate"),
        *tooltip,
        alt.Tooltip("fitness:Q", format=".3f"),
        alt.Tooltip("stderr:Q", title="standard error", format=".3f"),
    ]
    base = alt.Chart(alt.NamedData(name=data)).encode(x=across, y=down, tooltip=tooltip)
    colour = alt.Color(
        "fitness:Q",
        title="fitness",
        scale=alt.Scale(range=SCORE_RANGE, interpolate="rgb", domain=[low, high]),
        legend=alt.Legend(orient="top", gradientLength=160, format=".2f"),
    )
    fields = base.mark_rect(cursor="pointer", strokeWidth=3).encode(
        color=colour,
        opacity=where(alt.OpacityValue, "datum.ended", 1, 0.35),
        stroke=where(alt.StrokeValue, IS_PICKED, "#c2571a", "transparent"),
    )
    layers = [fields]
    if num_columns <= _MOST_NUMBERS:
        number = base.mark_text(fontSize=11, aria=False, cursor="pointer")
        is_dark = f"datum.fitness < {dark_end}"
        ink = where(alt.ColorValue, is_dark, "#ffffff", "#1f2933")
        layers.append(number.encode(text=alt.Text("fitness:Q", format=".2f"), color=ink))
    chart = alt.layer(*layers).add_params(picked())
    return finish(chart, height=max(60, _ROW * num_rows), says=says)
