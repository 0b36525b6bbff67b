"""Races: how many candidates answered how many items before they were stopped."""

from typing import Any

import altair as alt

from stages.report.charts.chart_style import finish


def race_chart() -> dict[str, Any]:
    """Return the candidates of each generation, stacked by the items they answered."""
    chart = (
        alt.Chart(alt.NamedData(name="candidates"))
        .mark_bar()
        .encode(
            x=alt.X("generation:O", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("count():Q", title="candidates"),
            color=alt.Color(
                "items:O",
                title="items answered",
                scale=alt.Scale(range=["#aab4bf", "#7fa3bf", "#4f86a6", "#2f6f8c", "#1d5570"]),
                legend=alt.Legend(orient="top"),
            ),
            order="items:Q",
            tooltip=[
                alt.Tooltip("generation:O"),
                alt.Tooltip("items:O", title="items answered"),
                alt.Tooltip("count():Q", title="candidates"),
            ],
        )
    )
    return finish(chart, height=240, says="How many items the candidates of each race answered.")
