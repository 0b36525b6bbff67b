"""What every encoding is: genes by name, and the path that their values stand for.

Genes that choose a model are names, which have no order. Genes of gains are natural logarithms.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence

from stages.errors import Faults
from stages.params.section import Bounds
from stages.params.space.layers_params import EncodingParams
from stages.recipe.model_size import ModelSize
from stages.seeds import key, random_words
from stages.select.space.genes import Gene
from stages.select.space.layers.hops import Hop, hops_of, lengthened
from stages.select.space.layers.room import NO_BOUND, Room

Values = Mapping[str, float | str]  # what the genes stand for: numbers, whole numbers and names

LAYERS = "layers"  # the parameter of genes that say the child's layers
_BRANCHES = ("attention", "mlp")
_NUM_CORNERS = 256  # what hangs on four genes at once is overlooked once in ten million
_PLACE = "params.yaml: select.space.layers"


class Encoding(ABC):
    """A way to write a path through the layers of ``pool`` as a few numbers and names."""

    def __init__(
        self, params: EncodingParams, pool: Sequence[str], size: ModelSize, decimals: int
    ) -> None:
        """Keep what genes and paths depend on; ``check`` says whether that can be met.

        ``size`` is that of each model of the pool.
        """
        self.pool = tuple(pool)
        self.size = size
        self.num_layers = len(size.layers)
        self.first = params.first_fixed
        self.stop = self.num_layers - params.last_fixed
        self.least = params.min_layers
        self.most = params.max_layers or NO_BOUND
        self.most_parameters = params.max_parameters or NO_BOUND
        self._gains = dict(zip(_BRANCHES, (params.attention_gain, params.mlp_gain), strict=True))
        self._decimals = decimals
        self._num_last = params.last_fixed
        self._num_first = params.first_fixed

    @abstractmethod
    def genes(self) -> tuple[Gene, ...]:
        """Return every gene, fixed ones too."""

    @abstractmethod
    def decode(self, values: Values) -> list[Hop]:
        """Return the path that the genes' values stand for; it keeps to the child's bounds."""

    @abstractmethod
    def encode(self, path: Sequence[Hop]) -> dict[str, float | str] | None:
        """Return values that may stand for ``path``; None where none can.

        Who asks decodes them to see whether they do.
        """

    def depths(self) -> tuple[int, int]:
        """Return the fewest and the most layers that a child has, whatever the bounds."""
        return self.num_layers, self.num_layers

    def check(self, faults: Faults) -> None:
        """Find what the pool and the depth of its models cannot meet."""
        depth = self.num_layers
        self._check_gains(faults)
        if self._num_first + self._num_last >= depth:
            faults.add(
                f"{_PLACE}: first_fixed is {self._num_first} and last_fixed is {self._num_last}, "
                f"the models have {depth} layers. Nothing is left to search; lower them to "
                f"{depth - 1} together, or less."
            )
        if self.least > depth:
            faults.add(
                f"{_PLACE}.min_layers is {self.least}, the models have {depth} layers. Legal is 1 "
                f"to {depth}; lower it."
            )
        fewest, _ = self.depths()
        if self.most < fewest:
            faults.add(
                f"{_PLACE}.max_layers is {self.most}. Children have {fewest} layers or more, "
                f"as the models have {depth}; raise it to {fewest} or more."
            )
        elif not faults:
            self._check_parameters(fewest, faults)

    def check_variety(self, faults: Faults) -> None:
        """Find bounds that leave nothing but whole models, tried on some corners of the space."""
        if all(_is_whole(self.decode(values), self.num_layers) for values in self._corners()):
            faults.add(
                f"{_PLACE}: every path that these bounds allow is a whole model of the pool, so "
                "nothing is searched in the layers. Widen them, give a gain bounds, or leave "
                "layers out."
            )

    def _corners(self) -> Iterator[Values]:
        genes = self.genes()
        stream = key("corners of a space of paths")
        for number in range(_NUM_CORNERS):
            words = random_words(stream, number * len(genes), len(genes))
            yield {
                gene.name: gene.value_of(gene.high if word % 2 else gene.low)
                for gene, word in zip(genes, words.tolist(), strict=True)
            }

    def _check_gains(self, faults: Faults) -> None:
        """Find bounds of a gain between which nothing lies, or of a branch that is not there."""
        for name, bounds in self.factors().items():
            if bounds is not None and bounds[0] < bounds[1] and self.factor(name, bounds).is_fixed:
                faults.add(
                    f"{_PLACE}.{name} is [{bounds[0]:.10g}, {bounds[1]:.10g}]. Its logarithm has "
                    f"{self._decimals} decimals, to which both are one number: nothing would be "
                    "searched. Widen the bounds, raise select.space.decimals, or give one number "
                    "twice."
                )
        for branch, bounds in self._gains.items():
            has = any(self.size.has(branch, layer) for layer in range(self.num_layers))
            if bounds not in (None, (1.0, 1.0)) and not has:
                faults.add(
                    f"{_PLACE}.{branch}_gain is given, and no layer of the models has such a "
                    f"branch. Leave {branch}_gain out."
                )

    def _check_parameters(self, fewest: int, faults: Faults) -> None:
        """Find a bound on parameters that no child meets, or not with ``min_layers``."""
        free = sorted(self.size.layers[self.first : self.stop])
        num_fixed = self.num_layers - len(free)
        fixed = self.size.whole - sum(free)
        smallest = fixed + sum(free[: max(0, fewest - num_fixed)])
        needed = fixed + max(0, self.least - num_fixed) * free[-1]
        given = f"{_PLACE}.max_parameters is {self.most_parameters}"
        if self.most_parameters < smallest:
            faults.add(
                f"{given}. Children have {smallest} parameters or more, as the models have "
                f"{self.size.whole}, {self.size.rest} of them outside the layers; raise it to "
                f"{smallest} or more."
            )
        elif fewest < self.least and self.most_parameters < needed:
            faults.add(
                f"{given}, and min_layers is {self.least}. So many layers have up to {needed} "
                f"parameters; raise max_parameters to {needed} or more, or lower min_layers."
            )

    def room(self, layers: Iterable[int]) -> Room:
        """Return what a child may have besides these layers."""
        return Room(self.size, self.most, self.most_parameters, layers)

    def bounded(self, path: Sequence[Hop], model: int = 0) -> list[Hop]:
        """Return the path within its bounds; ``model`` is the first model of a path without hops.

        The last free hops go, then skipped layers of the first model come back.
        """
        num_last = self._num_last
        path = self.room(hop.layer for hop in path).shortened(path, num_last)
        return lengthened(path, self.least, num_last, self.num_layers, model)

    def factors(self) -> dict[str, Bounds | None]:
        """Return the bounds of what is searched by its logarithm, by key."""
        return {f"{branch}_gain": bounds for branch, bounds in self._gains.items()}

    def one_of_pool(self, name: str) -> Gene:
        """Return the gene that chooses a model."""
        high = float(len(self.pool)) if len(self.pool) > 1 else 0.0
        return Gene(name, LAYERS, 0.0, high, is_binned=True, choices=self.pool)

    def whole(self, name: str, low: int, high: int) -> Gene:
        """Return the gene of a whole number from ``low`` to ``high``, both included."""
        return Gene(name, LAYERS, float(low), float(high) + (low < high), is_binned=True)

    def gain_genes(self, stem: str) -> Iterator[Gene]:
        """Yield the genes of the gains that have bounds, as logarithms."""
        for branch, bounds in self._gains.items():
            if bounds is not None:
                yield self.factor(_gain_name(stem, branch), bounds)

    def factor(self, name: str, bounds: Bounds) -> Gene:
        """Return the gene of a factor with these bounds, as a logarithm."""
        low, high = (round(math.log(bound), self._decimals) + 0.0 for bound in bounds)
        return Gene(name, LAYERS, low, high)

    def gains(self, values: Values, stem: str, usual: float = 1.0) -> tuple[float, float]:
        """Return the gains of attention and MLP; ``usual`` where there are no bounds."""
        first, second = (
            usual if bounds is None else self.factor_of(values[_gain_name(stem, branch)], bounds)
            for branch, bounds in self._gains.items()
        )
        return first, second

    def gain_values(self, stem: str, gains: tuple[float, float]) -> dict[str, float | str]:
        """Return the values of the genes of gains that stand for ``gains``."""
        return {
            _gain_name(stem, branch): math.log(gain)
            for gain, (branch, bounds) in zip(gains, self._gains.items(), strict=True)
            if bounds is not None
        }

    def factor_of(self, value: float | str, bounds: Bounds) -> float:
        """Return the factor that a gene's logarithm stands for, rounded and within its bounds."""
        low, high = bounds
        return min(max(round(math.exp(float(value)), self._decimals), low), high)


def _is_whole(path: Sequence[Hop], num_layers: int) -> bool:
    return any(list(path) == hops_of(hop.model, 0, num_layers) for hop in path[:1])


def _gain_name(stem: str, branch: str) -> str:
    return f"{stem}.log_{branch}_gain"


def refuse_one_model(pool: Sequence[str], encoding: str, faults: Faults) -> None:
    """Add the fault of a pool of one, of which an encoding that chooses models makes nothing."""
    if len(pool) < 2:
        faults.add(
            f"{_PLACE}: {encoding} chooses between models, and the pool is {', '.join(pool)} "
            "alone. Add to download.parents, or take encoding blocks or indicator."
        )
