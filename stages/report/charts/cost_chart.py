"""What the run cost, in items."""

from typing import Any

import altair as alt

from stages.report.charts.chart_style import COLOURS, finish


def cost_chart(num_uses: int) -> dict[str, Any]:
    """Return a bar for each use of items."""
    base = alt.Chart(alt.NamedData(name="cost")).encode(
        x=alt.X("items:Q", title="items asked for"),
        y=alt.Y("use:N", sort=None, title=None, axis=alt.Axis(labelLimit=200)),
        tooltip=[alt.Tooltip("use:N", title="for"), alt.Tooltip("items:Q", format=",d")],
    )
    bars = base.mark_bar(color=COLOURS["other"], height=16)
    return finish(bars, height=30 * num_uses, says="Items asked for by each part of the run.")
