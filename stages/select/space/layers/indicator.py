"""indicator: a slot for each layer of each model in turn, [A; B] * r; slots above 0 are on.

Akiba et al. 2024, "Evolutionary optimization of model merging recipes", arXiv:2403.13187: a search
starts at the first model alone, whose slots of the first pass begin two standard deviations above
0, all others at 0; the first model's first and last layer can be fixed. Their scales before each
hop are ``scale``: on a path only the scales of slots that are on are left, one for each hop.
"""

import math
from collections.abc import Iterator, Sequence

from stages.params.section import Bounds
from stages.params.space.layers_params import IndicatorParams
from stages.recipe.model_size import ModelSize
from stages.select.space.genes import Gene
from stages.select.space.layers.encoding import LAYERS, Encoding, Values
from stages.select.space.layers.hops import Hop, hops_of

ON = 2.0  # standard deviations of the first draws above 0, which lie 6 from bound to bound
_REACH = 3.0
Slot = tuple[str, int, int]  # a name, a model and a layer


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
        self._slots = [
            (f"pass{number}.{self.pool[model]}.layer{layer:02d}", model, layer)
            for number in range(1, self._repeats + 1)
            for model, layer in self._order()
        ]

    def _order(self) -> Iterator[tuple[int, int]]:
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
            if self._scale is not None:
                genes.append(self.factor(f"{name}.log_scale", self._scale))
        return tuple(genes)

    def decode(self, values: Values) -> list[Hop]:
        """Return the slots that are on, between the fixed layers."""
        path = hops_of(0, 0, self.first)
        for name, model, layer in self._slots:
            if float(values[name]) > 0:
                path.append(
                    Hop(model, layer, *self.gains(values, name), self._scale_at(values, name))
                )
        return self.bounded([*path, *hops_of(0, self.stop, self.num_layers)])

    def _scale_at(self, values: Values, name: str) -> float:
        if self._scale is None:
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
        return values

    def _scale_values(self, name: str, scale: float) -> dict[str, float | str]:
        return {} if self._scale is None else {f"{name}.log_scale": math.log(scale)}
