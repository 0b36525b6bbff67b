"""Genes: how each goes with fitness, and all genes of the best candidates at once."""

from collections.abc import Sequence
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
)

_LABELS = alt.Axis(labelLimit=170)
_TREND_RANGE = ["#c2571a", "#aab4bf", "#2f7d8c"]
_GENERATION_RANGE = ["#a9927d", "#3f86b5"]  # each 3 to 1 at the least on white and on black
NUM_LINES = 200  # more lines than this cannot be told apart


def importance_chart(num_genes: int) -> dict[str, Any]:
    """Return a bar for each gene: the share of the variance of fitness that goes with it."""
    chart = (
        alt.Chart(alt.NamedData(name="gene_effects"))
        .mark_bar()
        .encode(
            x=alt.X(
                "explained:Q", title="share of the variance explained", axis=alt.Axis(format="%")
            ),
            y=alt.Y("gene:N", sort=None, title=None, axis=_LABELS),
            color=alt.Color(
                "trend:Q",
                title="trend",
                scale=alt.Scale(domain=[-1, 0, 1], range=_TREND_RANGE, interpolate="rgb"),
                legend=alt.Legend(orient="top", gradientLength=160),
            ),
            tooltip=[
                alt.Tooltip("gene:N"),
                alt.Tooltip("explained:Q", title="variance explained", format=".0%"),
                alt.Tooltip("trend:Q", title="rank correlation", format="+.2f"),
                alt.Tooltip("low:Q", title="lowest tried", format=".4f"),
                alt.Tooltip("high:Q", title="highest tried", format=".4f"),
            ],
        )
    )
    says = "How much of the variance of fitness goes with each gene."
    return finish(chart, height=max(60, 20 * num_genes), says=says)


def slice_chart(genes: Sequence[str]) -> dict[str, Any]:
    """Return one gene of every candidate against its fitness; the reader chooses the gene."""
    menu = alt.binding_select(options=list(genes), name="gene: ")
    gene = alt.param(name="gene", value=genes[0], bind=menu)
    chart = (
        alt.Chart(candidates())
        .transform_filter("datum.ended")
        .transform_calculate(gene_value="datum.values[gene]")
        .mark_point(filled=True, cursor="pointer", opacity=0.85)
        .encode(
            x=alt.X("gene_value:Q", title="value of the gene", scale=alt.Scale(zero=False)),
            y=alt.Y("fitness:Q", scale=alt.Scale(zero=False)),
            size=where(alt.SizeValue, IS_PICKED, 160, 36),
            color=alt.Color(
                "generation:Q",
                scale=alt.Scale(range=_GENERATION_RANGE, interpolate="rgb"),
                legend=alt.Legend(
                    orient="top", gradientLength=160, format="d", labelExpr=GENERATION_LABELS
                ),
            ),
            tooltip=[
                alt.Tooltip("gene_value:Q", title="gene", format=".4f"),
                *candidate_tooltip("fitness"),
            ],
        )
        .add_params(gene, picked())
    )
    return finish(chart, height=280, says="One gene of every candidate against its fitness.")


def parallel_chart(num_genes: int, num_lines: int) -> dict[str, Any]:
    """Return a line for each of the best candidates through the values of all its genes."""
    menu = alt.binding_range(min=1, max=num_lines, step=1, name="best candidates shown: ")
    shown = alt.param(name="shown", value=min(20, num_lines), bind=menu)
    chart = (
        alt.Chart(alt.NamedData(name="gene_values"))
        .transform_filter(f"datum.rank <= shown || {IS_PICKED}")
        .mark_line(cursor="pointer")
        .encode(
            y=alt.Y("gene:N", sort=None, title=None, axis=_LABELS),
            x=alt.X(
                "share:Q",
                title="lowest to highest value tried",
                axis=alt.Axis(
                    values=[0, 0.5, 1], labelExpr="['lowest','','highest'][datum.value*2]"
                ),
            ),
            order="place:Q",
            detail="name:N",
            color=score_colour(),
            strokeWidth=where(alt.StrokeWidthValue, IS_PICKED, 4, 1.3),
            opacity=where(alt.OpacityValue, IS_PICKED, 1, 0.6),
            tooltip=[
                alt.Tooltip("name:N", title="candidate"),
                alt.Tooltip("fitness:Q", format=".3f"),
            ],
        )
        .add_params(shown, picked())
    )
    says = "The genes of the best candidates, a line for each candidate."
    return finish(chart, height=max(120, 22 * num_genes), says=says)
