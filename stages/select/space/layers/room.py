"""How much more a child may have: the bounds on its layers and parameters, less what it has."""

from collections.abc import Iterable, Sequence

from stages.recipe.model_size import ModelSize
from stages.select.space.layers.hops import Hop

NO_BOUND = 10**18  # layers or parameters; no model has as many


class Room:
    """Counts down what is left for layers that run again; it is negative where a child is too big.

    ``layers`` are those that the child has in any case.
    """

    def __init__(
        self, size: ModelSize, most_layers: int, most_parameters: int, layers: Iterable[int]
    ) -> None:
        self._size = size
        self._layers = most_layers
        self._parameters = most_parameters - size.rest
        for layer in layers:
            self._take(layer, 1)

    def times(self, block: Sequence[int]) -> int:
        """Return how often there is room for these layers."""
        num_parameters = sum(self._size.layers[layer] for layer in block)
        by_layers = self._layers // len(block)
        return min(by_layers, self._parameters // num_parameters) if num_parameters else by_layers

    def take(self, block: Iterable[int], times: int = 1) -> None:
        """Take these layers up; -1 times, they are skipped."""
        for layer in block:
            self._take(layer, times)

    @property
    def is_exceeded(self) -> bool:
        """Whether the child has more than it may have."""
        return self._layers < 0 or self._parameters < 0

    def shortened(self, path: Sequence[Hop], num_last: int) -> list[Hop]:
        """Return a path that keeps to the bounds: the last hops go that are before the fixed ones.

        ``num_last`` of the path's hops are fixed. The path is counted already.
        """
        stop = len(path) - num_last
        tail = path[stop:]
        while stop > 0 and self.is_exceeded:
            stop -= 1
            self._take(path[stop].layer, -1)
        return [*path[:stop], *tail]

    def _take(self, layer: int, times: int) -> None:
        self._layers -= times
        self._parameters -= times * self._size.layers[layer]
