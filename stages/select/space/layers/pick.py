"""pick: one model for each depth, or for each group of depths; a child is as deep as a parent."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from stages.errors import Faults
from stages.params.space.layers_params import PickParams
from stages.recipe.model_size import ModelSize
from stages.select.space.genes import Gene
from stages.select.space.layers.encoding import Encoding, Values, refuse_one_model
from stages.select.space.layers.hops import Hop, hops_of, without_gains


class Pick(Encoding):
    """Layer i of the child is layer i of a model.

    Fixed first and last layers are a group each. The layers between them are divided into groups
    of ``group``, the last of which may be smaller.
    """

    def __init__(
        self, params: PickParams, pool: Sequence[str], size: ModelSize, decimals: int
    ) -> None:
        """Divide the layers into groups."""
        super().__init__(params, pool, size, decimals)
        self._group = params.group
        starts = [*range(self.first, self.stop, params.group)]
        bounds = sorted({0, *starts, self.stop, self.num_layers})
        self._groups = {
            f"layers{low:02d}-{high - 1:02d}": (low, high) for low, high in pairwise(bounds)
        }

    def check(self, faults: Faults) -> None:
        """Find a pool of one, and a group that is larger than all there is to divide."""
        super().check(faults)
        refuse_one_model(self.pool, "pick", faults)
        free = self.stop - self.first
        if self._group > free > 0:
            faults.add(
                f"params.yaml: select.space.layers.group is {self._group}, and {free} layers are "
                f"not fixed. Legal is 1 to {free}; lower it."
            )

    def genes(self) -> tuple[Gene, ...]:
        """Return a model for each group; groups between the fixed layers have gains."""
        genes = []
        for name, (low, _) in self._groups.items():
            genes.append(self.one_of_pool(f"{name}.model"))
            if self.first <= low < self.stop:
                genes += self.gain_genes(name)
        return tuple(genes)

    def decode(self, values: Values) -> list[Hop]:
        """Return each layer in its place."""
        path: list[Hop] = []
        for name, (low, high) in self._groups.items():
            model = self.pool.index(str(values[f"{name}.model"]))
            is_free = self.first <= low < self.stop
            gains = self.gains(values, name) if is_free else (1.0, 1.0)
            path += hops_of(model, low, high, gains)
        return without_gains(path, self.first, self.stop)

    def encode(self, path: Sequence[Hop]) -> dict[str, float | str] | None:
        """Return the commonest model of each group; None where layers are in other places."""
        if [hop.layer for hop in path] != [*range(self.num_layers)]:
            return None
        values: dict[str, float | str] = {}
        for name, (low, high) in self._groups.items():
            models = Counter(hop.model for hop in path[low:high])
            values[f"{name}.model"] = self.pool[models.most_common(1)[0][0]]
            if self.first <= low < self.stop:
                values |= self.gain_values(name, path[low].gains)
        return values
