"""interleaved: a slot for layer 0 of every model, then for layer 1 of every model, and so on."""

from collections.abc import Iterator

from stages.select.space.layers.indicator import Indicator


class Interleaved(Indicator):
    """As ``Indicator``, in the order of the layers: a layer may stand next to its twin."""

    def _order(self) -> Iterator[tuple[int, int]]:
        for layer in range(self.first, self.stop):
            for model in range(len(self.pool)):
                yield model, layer
