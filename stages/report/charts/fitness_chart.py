"""Fitness by generation: every candidate, the mean, and the best so far or each race's winner."""

from typing import Any

import altair as alt

from stages.report.charts.chart_style import (
    COLOURS,
    GENERATION_LABELS,
    IS_PICKED,
    candidate_tooltip,
    candidates,
    finish,
    picked,
    where,
    zoom,
)

_BEST, _MEAN = "#c2571a", "#5b7fa6"


def fitness_chart(*, is_raced: bool, is_crowded: bool = False) -> dict[str, Any]:
    """Return the chart; races are not joined by lines: no two answered the same items.

    ``is_crowded``: so many candidates that small pale points show more.
    """
    title = "fitness on the items answered" if is_raced else "fitness on the search split"
    tooltip = candidate_tooltip("fitness")
    generation = alt.X(
        "generation:Q",
        title="generation: each a race on other items" if is_raced else "generation",
        axis=alt.Axis(tickMinStep=1, format="d", labelExpr=GENERATION_LABELS),
        scale=alt.Scale(nice=False, padding=12),
    )
    fitness = alt.Y("fitness:Q", title=title, scale=alt.Scale(zero=False, nice=False, padding=10))
    points = (
        alt.Chart(candidates())
        .mark_point(filled=True, cursor="pointer")
        .encode(
            x=generation,
            y=fitness,
            size=where(alt.SizeValue, IS_PICKED, 160, 12 if is_crowded else 32),
            opacity=where(alt.OpacityValue, "datum.ended", 0.6 if is_crowded else 0.85, 0.2),
            color=where(alt.ColorValue, IS_PICKED, _BEST, COLOURS["undecided"]),
            tooltip=tooltip,
        )
        .add_params(zoom("fitness_zoom"))
        .properties(name="fitness_points")
    )
    layers = _winners() if is_raced else _course()
    says = "Fitness of every candidate by generation. The table of candidates holds the same."
    return finish(alt.layer(points, *layers).add_params(picked()), height=300, says=says)


def _course() -> list[alt.Chart]:
    base = alt.Chart(alt.NamedData(name="generations"))
    names = alt.Scale(domain=["best so far", "mean"], range=[_BEST, _MEAN])
    colour = alt.Color("line:N", title=None, scale=names, legend=alt.Legend(orient="top"))
    return [
        base.mark_line(interpolate=shape, strokeWidth=2)  # type: ignore[arg-type]
        .transform_calculate(line=f"'{line}'")
        .encode(x="generation:Q", y=alt.Y(f"{field}:Q", title=""), color=colour)
        for line, field, shape in (
            ("best so far", "best_so_far", "step-after"),
            ("mean", "mean", "linear"),
        )
    ]


def _winners() -> list[alt.Chart]:
    base = alt.Chart(alt.NamedData(name="generations")).transform_filter("datum.best !== null")
    rule = base.transform_calculate(
        low="datum.best - datum.best_stderr", high="datum.best + datum.best_stderr"
    ).mark_rule(color=_BEST, strokeWidth=2)
    point = base.transform_calculate(line="'winner ± standard error'").mark_point(
        filled=True, size=60
    )
    names = alt.Scale(domain=["winner ± standard error"], range=[_BEST])
    colour = alt.Color("line:N", title=None, scale=names, legend=alt.Legend(orient="top"))
    return [
        rule.encode(x="generation:Q", y=alt.Y("low:Q", title=""), y2="high:Q"),
        point.encode(x="generation:Q", y=alt.Y("best:Q", title=""), color=colour),
    ]
