"""How much fitness goes with each gene, over the candidates that were tried: plain data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from stages.lineage.rows import Row

LEAST_ROWS = 8  # a parabola through fewer points explains them by itself
_DECIMALS = 4  # what is shown; the last bits differ between processors


@dataclass(frozen=True, slots=True)
class GeneEffect:
    """``explained``: the share of the variance of fitness that a parabola in this gene explains.

    ``trend`` is Spearman's rank correlation with fitness: above 0, more of the gene goes with more
    fitness. Both are of the candidates that a search tried, which crowd where it went: they are
    hints, not effects of a trial.
    """

    gene: str
    low: float
    high: float
    explained: float | None
    trend: float | None


def gene_effects(rows: Sequence[Row]) -> tuple[GeneEffect, ...]:
    """Return the effect of each gene that varies, those that explain most first.

    ``rows`` are scored on the same items. With fewer than ``LEAST_ROWS`` there are no figures.
    """
    scored = [row for row in rows if row.fitness is not None]
    fitness = np.array([row.fitness for row in scored], dtype=np.float64)
    effects = []
    for gene in sorted({name for row in scored for name in row.genes}):
        values = np.array([row.genes.get(gene, np.nan) for row in scored], dtype=np.float64)
        known = ~np.isnan(values)
        low, high = float(values[known].min()), float(values[known].max())
        if low < high:
            figures = _figures(values[known], fitness[known])
            effects.append(GeneEffect(gene, low, high, *figures))
    return tuple(sorted(effects, key=lambda effect: (-(effect.explained or 0.0), effect.gene)))


def _figures(values: np.ndarray, fitness: np.ndarray) -> tuple[float | None, float | None]:
    spread = float(((fitness - fitness.mean()) ** 2).sum())
    if len(values) < LEAST_ROWS or spread == 0.0 or len(np.unique(values)) < 3:
        return None, None
    scaled = (values - values.mean()) / values.std()
    fitted = np.polynomial.polynomial.polyval(
        scaled, np.polynomial.polynomial.polyfit(scaled, fitness, 2)
    )
    explained = 1.0 - float(((fitness - fitted) ** 2).sum()) / spread
    trend = float(stats.spearmanr(values, fitness).statistic)
    return round(max(explained, 0.0), _DECIMALS), round(trend, _DECIMALS)
