"""The champion's lead over the best of each kind, and task by task over the best of others."""

from typing import Any

import altair as alt

from stages.report.charts.chart_style import COLOURS, finish

_LEAD_AXIS = alt.Axis(tickCount=7, format="+.2~f")
WORDS = {"win": "champion is better", "loss": "champion is worse", "undecided": "cannot be told"}


def lead_chart(num_rows: int) -> dict[str, Any]:
    """Return intervals of the leads: right of the line of no difference the champion is ahead."""
    data = alt.NamedData(name="leads")
    outcome = alt.Color(
        "outcome:N",
        title=None,
        scale=alt.Scale(domain=list(WORDS.values()), range=[COLOURS[key] for key in WORDS]),
        legend=alt.Legend(orient="top", columns=1),
    )
    shape = alt.Shape(
        "outcome:N",
        title=None,
        scale=alt.Scale(domain=list(WORDS.values()), range=["circle", "triangle-left", "square"]),
        legend=alt.Legend(orient="top", columns=1),
    )
    rival = alt.Y("against:N", sort=None, title=None, axis=alt.Axis(labelLimit=230))
    tooltip = [
        alt.Tooltip("against:N"),
        alt.Tooltip("difference:Q", title="lead", format="+.3f"),
        alt.Tooltip("low:Q", title="interval from", format="+.3f"),
        alt.Tooltip("high:Q", title="to", format="+.3f"),
        alt.Tooltip("p:N"),
        alt.Tooltip("outcome:N", title="verdict"),
    ]
    base = alt.Chart(data).encode(y=rival, tooltip=tooltip)
    chart = alt.layer(
        base.mark_rule(strokeWidth=2.5).encode(
            x=alt.X("low:Q", title="champion's lead", axis=_LEAD_AXIS),
            x2="high:Q",
            color=outcome,
        ),
        base.mark_point(filled=True, size=90, opacity=1).encode(
            x="difference:Q", color=outcome, shape=shape
        ),
        alt.Chart(data).mark_rule(strokeDash=[4, 3], color="#7b8794").encode(x=alt.datum(0)),
    )
    says = "The champion's lead over the best model of each kind, and over the best of each task."
    return finish(chart, height=34 * num_rows, says=says)
