"""Two tasks against each other: what a candidate gains in one, it may lose in the other."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from stages.report.charts.chart_style import (
    COLOURS,
    IS_PICKED,
    candidate_tooltip,
    candidates,
    finish,
    picked,
    where,
)


def tradeoff_chart(tasks: Sequence[str], costs: Sequence[str] = ()) -> dict[str, Any]:
    """Return the scores of two tasks, which the reader chooses; unbeaten candidates stand out.

    With ``costs`` a score may be shown against what a child costs.
    """
    what = "score or cost" if costs else "score"
    options = [*costs, *tasks]
    across = alt.param(
        name="across",
        value=options[0],
        bind=alt.binding_select(options=options, name="across: "),
    )
    up = alt.param(
        name="up", value=options[1], bind=alt.binding_select(options=options, name="up: ")
    )
    kinds = ["unbeaten", f"another is at least as good in all tasks{' and cost' * bool(costs)}"]
    chart = (
        alt.Chart(candidates())
        .transform_filter("datum.ended")
        .transform_calculate(
            one="datum.by_task[across]",
            other="datum.by_task[up]",
            front=f"datum.unbeaten ? '{kinds[0]}' : '{kinds[1]}'",
        )
        .mark_point(filled=True, cursor="pointer")
        .encode(
            x=alt.X("one:Q", title=f"{what}, task across", scale=alt.Scale(zero=False)),
            y=alt.Y("other:Q", title=f"{what}, task up", scale=alt.Scale(zero=False)),
            color=alt.Color(
                "front:N",
                title=None,
                scale=alt.Scale(domain=kinds, range=["#c2571a", COLOURS["undecided"]]),
                legend=alt.Legend(orient="top", columns=1, labelLimit=320),
            ),
            opacity=where(alt.OpacityValue, "datum.unbeaten", 1, 0.5),
            size=where(alt.SizeValue, IS_PICKED, 220, 50),
            tooltip=candidate_tooltip("fitness"),
        )
        .add_params(across, up, picked())
    )
    return finish(chart, height=320, says="Scores of candidates in two tasks.")
