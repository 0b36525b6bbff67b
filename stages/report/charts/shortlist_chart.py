"""The shortlist on search, validation and test items: what the best of many lose on new items."""

from typing import Any

import altair as alt

from stages.report.charts.chart_style import COLOURS, finish

SPLITS = ("search", "validation", "expected", "test")


def shortlist_chart() -> dict[str, Any]:
    """Return a line for each shortlisted candidate from split to split, with standard errors."""
    data = alt.NamedData(name="shortlist")
    split = alt.X("split:N", sort=list(SPLITS), title=None, axis=alt.Axis(labelAngle=0))
    colour = alt.Color(
        "role:N",
        title=None,
        scale=alt.Scale(domain=["champion", "shortlisted"], range=["#c2571a", COLOURS["other"]]),
        legend=alt.Legend(orient="top"),
    )
    tooltip = [
        alt.Tooltip("name:N", title="candidate"),
        alt.Tooltip("split:N"),
        alt.Tooltip("fitness:Q", format=".3f"),
        alt.Tooltip("stderr:Q", title="standard error", format=".3f"),
    ]
    base = alt.Chart(data).encode(x=split, color=colour, detail="name:N", tooltip=tooltip)
    fitness = alt.Y("fitness:Q", scale=alt.Scale(zero=False))
    chart = alt.layer(
        base.mark_line(opacity=0.8).encode(y=fitness),
        base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", title="fitness"), y2="high:Q"),
        base.mark_point(filled=True, size=70, opacity=1, cursor="pointer").encode(y=fitness),
    )
    says = "Fitness of each shortlisted candidate on search, validation and test items."
    return finish(chart, height=280, says=says)
