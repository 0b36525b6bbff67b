"""A grid over what candidates are like; each cell keeps the best that fell into it.

Source: Mouret and Clune 2015, "Illuminating search spaces by mapping elites", arXiv 1504.04909.
"""

from collections.abc import Sequence

from stages.select.strategies.populations.population_member import PopulationMember

Cell = tuple[int, ...]


class GridArchive:
    """The best member of each cell; ``bounds`` are those of the axes, each cut in ``num_cells``.

    What lies outside the bounds belongs to the outermost cell. Of equals the earlier stays.
    """

    def __init__(self, bounds: Sequence[tuple[float, float]], num_cells: int) -> None:
        self._bounds = tuple(bounds)
        self._num_cells = num_cells
        self._cells: dict[Cell, tuple[float, PopulationMember]] = {}

    def add(self, member: PopulationMember, quality: float, behaviour: Sequence[float]) -> None:
        """Keep the member where its cell is empty, or holds one of lower quality."""
        cell = self._cell(behaviour)
        holder = self._cells.get(cell)
        if holder is None or holder[0] < quality:
            self._cells[cell] = (quality, member)

    @property
    def members(self) -> list[PopulationMember]:
        """The members in the order of their cells."""
        return [self._cells[cell][1] for cell in sorted(self._cells)]

    def _cell(self, behaviour: Sequence[float]) -> Cell:
        return tuple(
            min(max(int((value - low) / (high - low) * self._num_cells), 0), self._num_cells - 1)
            for value, (low, high) in zip(behaviour, self._bounds, strict=True)
        )
