"""A path: each layer of the child, which ancestor's layer it is, and its gains."""

from dataclasses import dataclass
from typing import Any

import altair as alt

from stages.report.charts.chart_style import finish

# Told apart by the colour-blind, and with white numbers on them.
_COLOURS = ["#1f6f8b", "#b4501a", "#6b5b95", "#7a6400", "#2e7d4f", "#8c3f5d", "#4a5f7a", "#5f4b32"]
_ROW, _LEAST_ROW, _TALLEST = 22, 7, 900  # pixels of a layer of the child, and of all of them
_MOST_TICKS = 12
_MOST_NUMBERS = 32  # layers of an ancestor; numbers of more do not fit on a telephone
_ROOM_FOR_GAINS = 136  # pixels, next to the layers
NUM_LAYERS = "num_layers"  # the parameter: layers of the child that is shown


@dataclass(frozen=True, slots=True)
class PathExtent:
    """What the scales of a path's chart hold: layers of the child, layers and names of ancestors.

    ``num_layers`` is the deepest child's where the reader picks the path. ``ancestors`` are those
    of the whole page, where each has one colour; ``shown`` are in this picture. ``has_gains``:
    some layer has a gain that is not 1, which takes room.
    """

    num_layers: int
    num_source_layers: int
    ancestors: tuple[str, ...]
    shown: tuple[str, ...]
    has_gains: bool


def path_chart(data: str, extent: PathExtent, says: str) -> dict[str, Any]:
    """Return the path in ``data``: a row for each layer of the child, read from top to bottom.

    In it stands the layer of the ancestor, under the number that it has there, in the ancestor's
    colour. A path that goes straight on is a diagonal; a step to the left runs layers again.
    The page sets the parameter ``num_layers`` and the height where it puts another path in.
    """
    row = max(_LEAST_ROW, min(_ROW, _TALLEST // extent.num_layers))
    base = alt.Chart(alt.NamedData(name=data)).encode(tooltip=_tooltip())
    step = 1 if row >= _ROW else 4
    count = alt.ExprRef(f"{NUM_LAYERS} / {step}")
    rows = alt.Axis(tickCount=count, tickMinStep=step, format="d", grid=False)
    last = alt.ExprRef(f"{NUM_LAYERS} - 0.5")
    down = alt.Y(
        "layer:Q",
        title="layer of the child",
        axis=rows,
        scale=alt.Scale(domainMin=-0.5, domainMax=last, reverse=True, nice=False, zero=False),
    )
    route = base.mark_line(color="#7b8794", strokeWidth=1.5).encode(
        x=_across(extent), y=down, order="layer:Q", tooltip=alt.value(None)
    )
    fields = base.transform_calculate(
        left="datum.source_layer - 0.44",
        right="datum.source_layer + 0.44",
        top="datum.layer - 0.42",
        bottom="datum.layer + 0.42",
    ).mark_rect(opacity=1, cornerRadius=3)
    fields = fields.encode(
        x=alt.X("left:Q", title="", axis=_columns(extent)),
        x2="right:Q",
        y=alt.Y("top:Q", title="", axis=rows),
        y2="bottom:Q",
        color=_colour(extent),
    )
    layers = [route, fields]
    if row >= _ROW // 2 and extent.num_source_layers <= _MOST_NUMBERS:
        number = base.mark_text(fontSize=11, color="#ffffff", aria=False)
        layers.append(number.encode(x=_across(extent), y=down, text="source_layer:Q"))
    if extent.has_gains and row >= _ROW // 2:
        layers.append(_gains(base, extent, down))
    num_layers = alt.param(name=NUM_LAYERS, value=extent.num_layers)
    chart = alt.layer(*layers).add_params(num_layers)
    return finish(chart, height=row * extent.num_layers, says=says)


def _across(extent: PathExtent) -> alt.X:
    """Return the layers of the ancestors; behind them is room for the gains."""
    count, room = extent.num_source_layers, _ROOM_FOR_GAINS if extent.has_gains else 0
    last = alt.ExprRef(f"{count} - 0.5 + {count} * {room} / max(width - {room}, 1)")
    return alt.X(
        "source_layer:Q",
        title="layer of the ancestor",
        axis=_columns(extent),
        scale=alt.Scale(domainMin=-0.5, domainMax=last, nice=False, zero=False),
    )


def _columns(extent: PathExtent) -> alt.Axis:
    step = -(-extent.num_source_layers // _MOST_TICKS)
    return alt.Axis(values=list(range(0, extent.num_source_layers, step)), format="d", grid=False)


def _gains(base: alt.Chart, extent: PathExtent, down: alt.Y) -> alt.Chart:
    text = base.transform_calculate(end=f"{extent.num_source_layers - 0.3}")
    marks = text.mark_text(fontSize=11, align="left", aria=False, color="#7b8794")
    across = alt.X("end:Q", title="", axis=_columns(extent))
    written: alt.Chart = marks.encode(x=across, y=down, text="gains:N")
    return written


def _colour(extent: PathExtent) -> alt.Color:
    colours = [_COLOURS[number % len(_COLOURS)] for number in range(len(extent.ancestors))]
    scale = alt.Scale(domain=list(extent.ancestors), range=colours)
    legend = alt.Legend(orient="top", values=list(extent.shown))
    return alt.Color("ancestor:N", title=None, scale=scale, legend=legend)


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("layer:Q", title="layer of the child"),
        alt.Tooltip("ancestor:N"),
        alt.Tooltip("source_layer:Q", title="its layer"),
        alt.Tooltip("attention_gain:Q", title="attention gain", format=".4f"),
        alt.Tooltip("mlp_gain:Q", title="MLP gain", format=".4f"),
    ]
