"""The family tree: candidates by generation, and the ancestors of the one that is picked."""

from typing import Any

import altair as alt

from stages.report.charts.chart_style import (
    GENERATION_LABELS,
    IS_PICKED,
    candidate_tooltip,
    candidates,
    finish,
    picked,
    score_colour,
    where,
    zoom,
)


def family_chart(tallest: int) -> dict[str, Any]:
    """Return the tree: generations from left to right, the fittest of each on top.

    ``tallest`` is how many candidates the largest generation has.
    """
    across = alt.X(
        "generation:Q",
        title="generation",
        axis=alt.Axis(tickMinStep=1, format="d", labelExpr=GENERATION_LABELS, grid=False),
        scale=alt.Scale(nice=False, padding=12),
    )
    down = alt.Y(
        "rank_of_generation:Q",
        title="fittest of its generation on top",
        axis=alt.Axis(labels=False, ticks=False, grid=False),
        scale=alt.Scale(reverse=True, nice=False, padding=12),
    )
    edges = (
        alt.Chart(alt.NamedData(name="descent"))
        .mark_rule(strokeWidth=1.4)
        .encode(
            x=alt.X("from_generation:Q", title="generation"),
            x2="generation:Q",
            y=alt.Y("from_rank:Q", title="fittest of its generation on top"),
            y2="rank:Q",
            opacity=alt.Opacity(
                "distance:Q",
                scale=alt.Scale(domain=[1, 4], range=[0.9, 0.12], clamp=True),
                legend=None,
            ),
            color=alt.ColorValue("#5b7fa6"),
        )
    )
    nodes = (
        alt.Chart(candidates())
        .mark_point(filled=True, opacity=1, cursor="pointer", stroke="#1f2933")
        .encode(
            x=across,
            y=down,
            color=score_colour(),
            size=where(alt.SizeValue, IS_PICKED, 220, 70),
            strokeWidth=where(alt.StrokeWidthValue, IS_PICKED, 2, 0.3),
            tooltip=candidate_tooltip("fitness"),
        )
        .add_params(zoom("family_zoom"))
        .properties(name="family_nodes")
    )
    chart = alt.layer(edges, nodes).add_params(picked())
    says = "Candidates by generation, coloured by fitness, with the ancestors of the picked one."
    return finish(chart, height=min(640, max(200, 26 * tallest)), says=says)
