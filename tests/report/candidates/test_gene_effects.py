"""How fitness goes with each gene."""

from dataclasses import replace

import pytest

from stages.report.candidates.gene_effects import LEAST_ROWS, gene_effects
from tests.report.conftest import rows_of


def rows_with(*points: tuple[float, float, float]) -> list:  # type: ignore[type-arg]
    """Return rows with two genes, ``peak`` and ``noise``, and a fitness."""
    row = rows_of()[0]
    return [
        replace(row, name=f"c{i}", genes={"peak": peak, "noise": noise, "fixed": 1.0}, fitness=f)
        for i, (peak, noise, f) in enumerate(points)
    ]


def test_a_gene_that_decides_fitness_comes_first() -> None:
    """A parabola explains all of it, though no line would; a gene that is fixed is left out."""
    noise = (0.3, 0.9, 0.1, 0.7, 0.2, 0.8, 0.5, 0.6, 0.4)
    points = [(i / 4 - 1, n, 1 - (i / 4 - 1) ** 2) for i, n in enumerate(noise)]
    peak, other = gene_effects(rows_with(*points))
    assert ("peak", -1.0, 1.0, 1.0, 0.0) == (
        peak.gene,
        peak.low,
        peak.high,
        peak.explained,
        peak.trend,
    )
    assert "noise" == other.gene
    assert other.explained is not None
    assert 0.5 > other.explained


def test_trend_says_which_way() -> None:
    """Where less of a gene is fitter, the rank correlation is -1."""
    points = [(i / 10, 0.0 if i else 0.1, 1 - i / 10) for i in range(LEAST_ROWS)]
    first = gene_effects(rows_with(*points))[0]
    assert "peak" == first.gene
    assert -1.0 == pytest.approx(first.trend)


def test_few_rows_have_no_figures() -> None:
    """A parabola through few points explains them by itself; their range is known all the same."""
    points = [(i / 10, 1 - i / 10, i / 10) for i in range(LEAST_ROWS - 1)]
    effects = gene_effects(rows_with(*points))
    assert [(None, None), (None, None)] == [(e.explained, e.trend) for e in effects]
    assert ["noise", "peak"] == [effect.gene for effect in effects]
    assert () == gene_effects([])


def test_fitness_that_never_varies_is_explained_by_nothing() -> None:
    """All candidates are equally fit: nobody divides by that spread."""
    points = [(i / 10, i / 5, 0.5) for i in range(LEAST_ROWS)]
    assert {None} == {effect.explained for effect in gene_effects(rows_with(*points))}
