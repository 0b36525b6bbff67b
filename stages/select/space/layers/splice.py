"""splice: cuts, and a model for each segment between them; overlaps run layers again.

With overlaps it holds the stacks known as Goliath, and SOLAR (Kim et al. 2023, arXiv:2312.15166).
"""

from collections.abc import Sequence

from stages.errors import Faults
from stages.params.space.layers_params import SpliceParams
from stages.recipe.model_size import ModelSize
from stages.select.space.genes import Gene
from stages.select.space.layers.encoding import Encoding, Values, refuse_one_model
from stages.select.space.layers.hops import Hop, hops_of, runs_of, without_gains


class Splice(Encoding):
    """Segment 1 of one model up to the first cut, segment 2 of another up to the next.

    Cuts count layers; their genes may be in any order. A segment that begins ``overlap`` layers
    before its cut runs these again. Overlaps go, the last first, where a child is too big.
    """

    def __init__(
        self, params: SpliceParams, pool: Sequence[str], size: ModelSize, decimals: int
    ) -> None:
        """Keep the number of cuts and the largest overlap."""
        super().__init__(params, pool, size, decimals)
        self._num_cuts = params.cuts
        self._overlap = params.overlap
        self._bounds = (max(1, self.first), min(self.num_layers - 1, self.stop))

    def depths(self) -> tuple[int, int]:
        """Return the depths without overlaps, and with the longest at every cut."""
        return self.num_layers, self.num_layers + self._num_cuts * self._overlap

    def check(self, faults: Faults) -> None:
        """Find cuts that have no layers between them, and a pool of one."""
        super().check(faults)
        refuse_one_model(self.pool, "splice", faults)
        low, high = self._bounds
        if self._num_cuts > high - low + 1 and low <= high:
            faults.add(
                f"params.yaml: select.space.layers.cuts is {self._num_cuts}. With "
                f"{self.num_layers} layers, {self.first} first and {self.num_layers - self.stop} "
                f"last ones fixed, there are {high - low + 1} places to cut; lower it."
            )
        longest = high - self.first
        if self._overlap > longest and low <= high:
            fixed = f" and behind the {self.first} fixed ones" if self.first else ""
            faults.add(
                f"params.yaml: select.space.layers.overlap is {self._overlap}. At most {longest} "
                f"layers of {self.num_layers} lie before a cut{fixed}; lower it."
            )

    def genes(self) -> tuple[Gene, ...]:
        """Return cuts with their overlaps, then segments with their gains."""
        genes = []
        for number in range(1, self._num_cuts + 1):
            genes.append(self.whole(f"cut{number}", *self._bounds))
            if self._overlap:
                genes.append(self.whole(f"cut{number}.overlap", 0, self._overlap))
        for number in range(1, self._num_cuts + 2):
            genes.append(self.one_of_pool(f"segment{number}.model"))
            genes += self.gain_genes(f"segment{number}")
        return tuple(genes)

    def decode(self, values: Values) -> list[Hop]:
        """Return the segments' layers; fixed layers have no gains."""
        numbers = range(1, self._num_cuts + 1)
        cuts = sorted(int(float(values[f"cut{number}"])) for number in numbers)
        room = self.room(range(self.num_layers))
        starts = [0]
        for number, cut in zip(numbers, cuts, strict=True):
            asked = int(float(values[f"cut{number}.overlap"])) if self._overlap else 0
            start = cut - min(asked, cut - self.first)
            while start < cut and room.times(range(start, cut)) < 1:
                start += 1
            room.take(range(start, cut))
            starts.append(start)
        path: list[Hop] = []
        for number, (start, stop) in enumerate(
            zip(starts, [*cuts, self.num_layers], strict=True), start=1
        ):
            model = self.pool.index(str(values[f"segment{number}.model"]))
            path += hops_of(model, start, stop, self.gains(values, f"segment{number}"))
        return without_gains(path, self.first, self.stop)

    def encode(self, path: Sequence[Hop]) -> dict[str, float | str] | None:
        """Return the cuts where the runs of ``path`` end; cuts that are left over cut nothing."""
        runs = runs_of(path)
        if not 1 <= len(runs) <= self._num_cuts + 1:
            return None
        values: dict[str, float | str] = {}
        for number in range(1, self._num_cuts + 2):
            run = runs[min(number, len(runs)) - 1]
            values[f"segment{number}.model"] = self.pool[run.model]
            values |= self.gain_values(f"segment{number}", run.gains)
            if number > self._num_cuts:
                break
            after = runs[number] if number < len(runs) else None
            values[f"cut{number}"] = float(run.stop if after else self._bounds[1])
            if self._overlap:
                values[f"cut{number}.overlap"] = float(run.stop - after.first if after else 0)
        return values
