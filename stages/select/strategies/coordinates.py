"""Points of a unit cube that stand for genomes, so that names have no order.

Most genes have one coordinate, from their lower bound at 0 to their upper bound at 1. A gene that
chooses one of several names (of methods, parents or settings) has a coordinate for each name, and
the name with the highest one is chosen: the order in which params.yaml lists the names then has no
part in what is found. A whole number has one coordinate, cut so that an optimiser's first draws
are as likely to fall on each number.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.seeds import generator
from stages.select.space.genes import Gene
from stages.select.space.space import Genome, Space

Cube = NDArray[np.float64]

_LEAST_SHARE = 1e-12  # a normal distribution has no finite quantile of 0


class Coordinates:
    """The genomes of ``space`` as points of the unit cube of ``dimension`` coordinates."""

    def __init__(self, space: Space, sigma: float | None = None) -> None:
        """Lay out the coordinates in the order of the genes.

        ``sigma`` is the standard deviation of the first draws, which are normal about the middle
        of the cube; None stands for uniform draws.
        """
        self._space = space
        self._shares = _Shares(sigma)
        self._slices: list[slice] = []
        start = 0
        for gene in space.genes:
            stop = start + (gene.num_bins if gene.is_category else 1)
            self._slices.append(slice(start, stop))
            start = stop
        self.dimension = start

    def genome(self, point: Sequence[float] | Cube) -> Genome:
        """Return the rounded genome at ``point``."""
        numbers = []
        for gene, part in zip(self._space.genes, self._slices, strict=True):
            values = point[part]
            if gene.is_category:
                numbers.append(gene.low + int(np.argmax(values)) + 0.5)
            else:
                unit = float(values[0])
                unit = self._shares.below(unit) if gene.is_binned else unit
                numbers.append(gene.low + unit * (gene.high - gene.low))
        return self._space.round(numbers)

    def moved(self, point: Sequence[float] | Cube, genome: Genome) -> Cube:
        """Return the point of ``genome`` that is nearest in kind to ``point``.

        The coordinates of names keep their values and change places at most: the chosen name
        takes the highest. So a point that an optimiser has drawn stays as likely as it was.
        """
        moved = np.array(point, dtype=float)
        unit = self._space.to_unit(genome)
        for gene, part, number, value in zip(
            self._space.genes, self._slices, genome, unit, strict=True
        ):
            if gene.is_category:
                _raise_to_top(moved[part], _bin_of(gene, number))
            else:
                moved[part] = self._shares.coordinate(value) if gene.is_binned else value
        return moved

    def spread(self, count: int, *parts: str | int) -> list[dict[int, float]]:
        """Return for each of ``count`` genomes the numbers of its binned genes, by gene's index.

        Each name and each whole number is given equally often, as far as ``count`` allows. Which
        genome has which is drawn from the random stream of ``parts``, for each gene by itself.
        """
        random = generator("spread", *parts)
        columns: dict[int, list[float]] = {}
        for index, gene in enumerate(self._space.genes):
            if gene.is_binned:
                # Systematic sampling: of k bins each is taken count/k times, rounded up or down.
                quantiles = (random.permutation(count) + random.random()) / count
                bins = np.minimum(np.floor(quantiles * gene.num_bins), gene.num_bins - 1)
                columns[index] = [gene.low + float(number) + 0.5 for number in bins]
        return [{i: numbers[k] for i, numbers in columns.items()} for k in range(count)]


class _Shares:
    """The share of an optimiser's first draws that fall below a coordinate, and its inverse."""

    def __init__(self, sigma: float | None) -> None:
        self._normal = None if sigma is None else NormalDist(0.5, sigma)

    def below(self, coordinate: float) -> float:
        """Return the share of the draws within the cube that fall below ``coordinate``."""
        if self._normal is None:
            return coordinate
        low, high = self._normal.cdf(0.0), self._normal.cdf(1.0)
        return (self._normal.cdf(coordinate) - low) / (high - low)

    def coordinate(self, share: float) -> float:
        """Return the coordinate below which ``share`` of the draws fall."""
        if self._normal is None:
            return share
        low, high = self._normal.cdf(0.0), self._normal.cdf(1.0)
        quantile = min(max(low + share * (high - low), _LEAST_SHARE), 1.0 - _LEAST_SHARE)
        return min(max(self._normal.inv_cdf(quantile), 0.0), 1.0)


def _bin_of(gene: Gene, number: float) -> int:
    """Return the index of the bin that ``number`` lies in; the highest bin is closed."""
    return min(int(number - gene.low), gene.num_bins - 1)


def _raise_to_top(values: NDArray[Any], index: int) -> None:
    """Exchange values until the one at ``index`` is above all others."""
    highest = int(np.argmax(values))
    values[highest], values[index] = values[index], values[highest]
    level = values == values[index]
    level[index] = False
    # Equal values, as at the middle of the cube, would leave the choice to the order of names.
    values[level] = np.nextafter(values[level], -1.0)
    if values.min() < 0.0:
        values += np.nextafter(0.0, 1.0)
