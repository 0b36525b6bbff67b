"""indicator: a slot for each layer of each model in turn, [A; B] * r; slots above 0 are on.

Akiba et al. 2024, "Evolutionary optimization of model merging recipes", arXiv:2403.13187: a search
starts at the first model alone, whose slots of the first pass begin two standard deviations above
0, all others at 0; the first model's first and last layer can be fixed. Their scales before each
hop are ``scale``: one for each slot, or a matrix with one for each pair of layers, W[i, j] where
the output of layer i enters layer j. On a path one of them is left for each hop.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from stages.params.section import Bounds
from stages.params.space.layers_params import IndicatorParams
from stages.recipe.model_size import ModelSize
from stages.select.space.genes import Gene
from stages.select.space.layers.encoding import LAYERS, Encoding, Values
from stages.select.space.layers.hops import Hop, hops_of

ON = 2.0  # standard deviations of the first draws above 0, which lie 6 from bound to bound
_REACH = 3.0
Layer = tuple[int, int]  # of a model, by their numbers


class Indicator(Encoding):
    """All layers of the first model, then all of the second, and so on, ``repeats`` times.

    Fixed layers are the first model's, before and after all slots. A child that is too big loses
    its last slots; one that is not deep enough gets back what it skips of its first model.
    """

    def __init__(
        self, params: IndicatorParams, pool: Sequence[str], size: ModelSize, decimals: int
    ) -> None:
        """Lay out the slots."""
        super().__init__(params, pool, size, decimals)
        self._repeats = params.repeats
        self._off = params.off
        self._scale = params.scale
        self._are_pairs = params.scales == "pairs"
        self._slots = [
            (f"pass{number}.{self.pool[model]}.layer{layer:02d}", model, layer)
            for number in range(1, self._repeats + 1)
            for model, layer in self._order()
        ]

        self._pairs = {pair: self._pair_name(*pair) for pair in self._neighbours()}

    def _neighbours(self) -> Iterator[tuple[Layer, Layer]]:
        """Yield the pairs of layers that may follow each other, where they have a scale."""
        if self._scale is None or not self._are_pairs:
            return
        free = [*self._order()]
        before: list[Layer] = [(0, self.first - 1)] if self.first else []
        after: list[Layer] = [(0, self.stop)] if self.stop < self.num_layers else []
        for index, layer in enumerate([*before, *free]):
            later = free if self._repeats > 1 else free[max(0, index + 1 - len(before)) :]
            for other in [*later, *after]:
                yield layer, other

    def _pair_name(self, *pair: Layer) -> str:
        names = (f"{self.pool[model]}.layer{layer:02d}" for model, layer in pair)
        return f"{'.'.join(names)}.log_scale"

    def _order(self) -> Iterator[Layer]:
        """Yield the models and layers of one pass, in the order of its slots."""
        for model in range(len(self.pool)):
            for layer in range(self.first, self.stop):
                yield model, layer

    def depths(self) -> tuple[int, int]:
        """Return the depths with all slots off, and with all of them on."""
        fixed = self.first + self.num_layers - self.stop
        return max(1, fixed), fixed + len(self._slots)

    def factors(self) -> dict[str, Bounds | None]:
        """Return the bounds of the gains, and of the scales."""
        return {**super().factors(), "scale": self._scale}

    def genes(self) -> tuple[Gene, ...]:
        """Return a gene for each slot, whose range has its start in the middle, and its gains."""
        genes = []
        for name, model, _ in self._slots:
            middle = ON if model == 0 and name.startswith("pass1.") else self._off
            genes.append(Gene(name, LAYERS, middle - _REACH, middle + _REACH))
            genes += self.gain_genes(name)
            if self._scale is not None and not self._are_pairs:
                genes.append(self.factor(f"{name}.log_scale", self._scale))
        if self._scale is not None:
            genes += [self.factor(name, self._scale) for name in self._pairs.values()]
        return tuple(genes)

    def decode(self, values: Values) -> list[Hop]:
        """Return the slots that are on, between the fixed layers."""
        path = hops_of(0, 0, self.first)
        for name, model, layer in self._slots:
            if float(values[name]) > 0:
                path.append(
                    Hop(model, layer, *self.gains(values, name), self._scale_at(values, name))
                )
        path = self.bounded([*path, *hops_of(0, self.stop, self.num_layers)])
        for index, pair in enumerate(_pairs_of(path), start=1):
            if self._scale is not None and pair in self._pairs:
                scale = self.factor_of(values[self._pairs[pair]], self._scale)
                path[index] = replace(path[index], scale=scale)
        return path

    def _scale_at(self, values: Values, name: str) -> float:
        if self._scale is None or self._are_pairs:
            return 1.0
        return self.factor_of(values[f"{name}.log_scale"], self._scale)

    def encode(self, path: Sequence[Hop]) -> dict[str, float | str] | None:
        """Return the first slots that give ``path`` in its order, on; all others off."""
        values: dict[str, float | str] = {}
        for name, _, _ in self._slots:
            values[name] = -ON
            values |= self.gain_values(name, (1.0, 1.0)) | self._scale_values(name, 1.0)
        slots = iter(self._slots)
        stop = len(path) - (self.num_layers - self.stop)
        for hop in path[self.first : stop]:
            wanted = (hop.model, hop.layer)
            slot = next((name for name, *of in slots if tuple(of) == wanted), None)
            if slot is None:
                return None
            values[slot] = ON
            values |= self.gain_values(slot, hop.gains) | self._scale_values(slot, hop.scale)
        values |= dict.fromkeys(self._pairs.values(), 0.0)
        for pair, hop in zip(_pairs_of(path), path[1:], strict=True):
            if pair in self._pairs:
                values[self._pairs[pair]] = math.log(hop.scale)
        return values

    def _scale_values(self, name: str, scale: float) -> dict[str, float | str]:
        if self._scale is None or self._are_pairs:
            return {}
        return {f"{name}.log_scale": math.log(scale)}


def _pairs_of(path: Sequence[Hop]) -> list[tuple[Layer, Layer]]:
    """Return the layers of each hop but the first, with those of the hop before it."""
    layers = [(hop.model, hop.layer) for hop in path]
    return [*pairwise(layers)]
