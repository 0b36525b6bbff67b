"""What each layer of a child is made of, by parent."""

from typing import Any

import altair as alt

from stages.report.charts.chart_style import finish, where

# A number is 26 pixels wide. Narrower fields, of a telephone, say it where one points at them.
_FITS = "bandwidth('x') < 28 ? 0 : 1"


def layer_chart(num_sources: int) -> dict[str, Any]:
    """Return a field for each layer and parent, with the parent's value written into it.

    ``num_sources`` is how many rows it has: parents, or parents by component.
    """
    across = alt.X(
        "layer:N",
        sort=None,
        title="layer of the merge",
        axis=alt.Axis(labelAngle=0, labelOverlap=True),
    )
    down = alt.Y("source:N", sort=None, title=None, axis=alt.Axis(labelLimit=170))
    tooltip = [
        alt.Tooltip("where:N", title="layer"),
        alt.Tooltip("parameter:N"),
        alt.Tooltip("source:N", title="parent"),
        alt.Tooltip("value:Q", format=".4f"),
    ]
    base = alt.Chart(alt.NamedData(name="layers")).encode(x=across, y=down, tooltip=tooltip)
    ramp = alt.Scale(range=["#e8edf2", "#2f6f8c"])
    legend = alt.Legend(orient="top", gradientLength=160)
    fields = base.mark_rect(stroke="#ffffff", strokeWidth=1).encode(
        color=alt.Color("size:Q", title="weight", scale=ramp, legend=legend)
    )
    numbers = (
        base.transform_filter("datum.is_first")
        .mark_text(fontSize=11, aria=False, opacity=alt.ExprRef(_FITS))
        .encode(
            text=alt.Text("value:Q", format=".2f"),
            color=where(alt.ColorValue, "datum.is_large", "#ffffff", "#1f2933"),
        )
    )
    says = "The weight of each parent in each layer. A table below holds the numbers."
    return finish(alt.layer(fields, numbers), height=max(60, 28 * num_sources), says=says)
