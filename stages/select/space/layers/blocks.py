"""blocks: one model, some blocks of which run several times, each pass with a gain of 1 / times.

Without a gain a second pass mostly harms; with 1 / times it takes smaller steps along the same
direction ("training-free looping", arXiv:2605.23872).
"""

from collections.abc import Sequence

from stages.errors import Faults
from stages.params.space.layers_params import BlocksParams
from stages.recipe.model_size import ModelSize
from stages.select.space.genes import Gene
from stages.select.space.layers.encoding import Encoding, Values
from stages.select.space.layers.hops import Hop, hops_of, runs_of


class Blocks(Encoding):
    """Blocks (start, length, times, gains) of one model, in the order in which they start.

    A block ends before the last fixed layers and begins after the block before it. One that runs
    0 times is skipped. Where a child is too big, blocks run fewer times, the last ones first,
    whatever ``times`` begins at; where once is too often, the last free layers go.
    """

    def __init__(
        self, params: BlocksParams, pool: Sequence[str], size: ModelSize, decimals: int
    ) -> None:
        """Keep the bounds of a block."""
        super().__init__(params, pool, size, decimals)
        self._num_blocks = params.blocks
        self._length = params.length or max(1, self.stop - self.first)
        self._times = params.times

    def check(self, faults: Faults) -> None:
        """Find more blocks than layers to lay them over, and blocks longer than these."""
        super().check(faults)
        free = self.stop - self.first
        for name, asked in (("blocks", self._num_blocks), ("length", self._length)):
            if asked > free > 0:
                faults.add(
                    f"params.yaml: select.space.layers.{name} is {asked}, and {free} layers are "
                    f"not fixed. Legal is 1 to {free}; lower it."
                )

    def depths(self) -> tuple[int, int]:
        """Return the depths with every block skipped, or all of them run as often as may be."""
        free = self.stop - self.first
        low, high = self._times
        fewest = self.num_layers + min(0, low - 1) * min(free, self._num_blocks * self._length)
        return max(1, fewest), self.num_layers + free * max(0, high - 1)

    def genes(self) -> tuple[Gene, ...]:
        """Return the model, then each block's start, length, times and gains."""
        genes = [self.one_of_pool("model")]
        for number in range(1, self._num_blocks + 1):
            genes += [
                self.whole(f"block{number}.start", self.first, max(self.first, self.stop - 1)),
                self.whole(f"block{number}.length", 1, self._length),
                self.whole(f"block{number}.times", *self._times),
                *self.gain_genes(f"block{number}"),
            ]
        return tuple(genes)

    def decode(self, values: Values) -> list[Hop]:
        """Return the model's layers with its blocks run as often as there is room for."""
        model = self.pool.index(str(values["model"]))
        room = self.room(range(self.num_layers))
        path: list[Hop] = []
        position = 0
        for start, length, asked, number in sorted(
            (*self._block(values, number), number) for number in range(1, self._num_blocks + 1)
        ):
            first, stop = max(start, position), min(start + length, self.stop)
            if stop <= first:
                continue
            block = range(first, stop)
            times = min(asked, max(1, 1 + room.times(block)))
            room.take(block, times - 1)
            path += hops_of(model, position, first)
            gains = self.gains(values, f"block{number}", usual=1 / times if times else 1.0)
            path += hops_of(model, first, stop, gains) * times
            position = stop
        path += hops_of(model, position, self.num_layers)
        return self.bounded(path, model)

    def _block(self, values: Values, number: int) -> tuple[int, int, int]:
        start, length, times = (
            int(float(values[f"block{number}.{what}"])) for what in ("start", "length", "times")
        )
        return start, length, times

    def encode(self, path: Sequence[Hop]) -> dict[str, float | str] | None:
        """Return a block for each jump of the path, back or ahead."""
        runs = runs_of(path)
        if len({run.model for run in runs}) != 1:
            return None
        blocks: list[tuple[int, int, int, tuple[float, float]]] = []
        index = 0
        while index + 1 < len(runs):
            stop, start = runs[index].stop, runs[index + 1].first
            gains, times = runs[index + 1].gains, 2
            if start > stop:
                blocks.append((stop, start - stop, 0, (1.0, 1.0)))
                index += 1
                continue
            while index + 2 < len(runs) and runs[index + 2].first == start:
                times, index = times + 1, index + 1
            again = next(hop for hop in reversed(path) if hop.layer == start)
            gains = again.gains
            blocks.append((start, stop - start, times, gains))
            index += 1
        if len(blocks) > self._num_blocks:
            return None
        rest = (max(self.first, self.stop - 1), 1, 1, (1.0, 1.0))
        values: dict[str, float | str] = {"model": self.pool[runs[0].model]}
        for number in range(1, self._num_blocks + 1):
            block = blocks[number - 1] if number <= len(blocks) else rest
            for what, value in zip(("start", "length", "times"), block[:3], strict=True):
                values[f"block{number}.{what}"] = float(value)
            values |= self.gain_values(f"block{number}", block[3])
        return values
