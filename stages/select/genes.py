"""Genes: one bounded number each, laid out from the parameters of the methods in the space."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.errors import ParamsError
from stages.hashing import nearest
from stages.params import Bounds, SpaceParams
from stages.recipe import MethodSpec, Parameter
from stages.select.blocks import Block

METHOD = "method"  # the gene whose bin chooses the method
SOURCE = "source"  # the parameter whose bin chooses a parent
NORMALIZE = "normalize"  # a switch in params.yaml, never a gene
SEARCHED = ("weight", "density", "t", "scale", SOURCE)


@dataclass(frozen=True, slots=True)
class Gene:
    """One number in [low, high]: ``parameter`` in ``block`` for ``parent`` (None: per tensor).

    A gene with ``low == high`` is fixed: it has a value and no place in the genome. A binned gene
    stands for a whole number: the floor of its value, the highest bin closed.
    """

    name: str
    parameter: str
    low: float
    high: float
    block: int = 0
    parent: int | None = None

    @property
    def is_fixed(self) -> bool:
        """True where the bounds leave nothing to search."""
        return self.low == self.high

    @property
    def is_binned(self) -> bool:
        """True where the value stands for one of several names."""
        return self.parameter in (METHOD, SOURCE)

    def clip(self, value: float, decimals: int) -> float:
        """Return ``value`` rounded to ``decimals`` and held within the bounds; never -0.0."""
        if self.is_fixed:
            return self.low
        return min(max(round(value, decimals), self.low), self.high) + 0.0


def bin_of(value: float, num_bins: int) -> int:
    """Return the bin of ``value``: its floor, held within 0 to ``num_bins - 1``."""
    return min(max(math.floor(value), 0), num_bins - 1)


def specs_of(
    params: SpaceParams, specs: Mapping[str, MethodSpec], num_parents: int
) -> tuple[MethodSpec, ...]:
    """Return the specs of the methods that ``params`` lists, in its order.

    Raises:
        ParamsError: a method is unknown or listed twice, takes another number of parents, or a
            bound of the space lies outside what the method takes.
    """
    for method in params.methods:
        if method not in specs:
            legal = sorted(specs)
            raise ParamsError(
                f"params.yaml: select.space.methods: unknown method {method!r}. Legal here: "
                f"{', '.join(legal)}.{nearest(method, legal)}"
            )
    if len(set(params.methods)) < len(params.methods):
        raise ParamsError(
            f"params.yaml: select.space.methods is {params.methods}. List each method once."
        )
    chosen = tuple(specs[method] for method in params.methods)
    for spec in chosen:
        _check_parents(spec, num_parents)
        for parameter in spec.parameters:
            _check_bounds(spec, parameter, params)
    return chosen


def genes_of(
    params: SpaceParams,
    chosen: Sequence[MethodSpec],
    blocks: Sequence[Block],
    parent_names: Sequence[str],
) -> tuple[Gene, ...]:
    """Return every gene, fixed ones too: the method, then each block's parameters by parent."""
    genes = [Gene(METHOD, METHOD, 0.0, float(len(chosen)))] if len(chosen) > 1 else []
    levels = {p.name: p.level for spec in chosen for p in spec.parameters}
    for index, block in enumerate(blocks):
        for name in (name for name in SEARCHED if name in levels):
            low, high = bounds_of(name, params, len(parent_names))
            stem = f"{block.name}.{name}" if block.name else name
            if levels[name] == "tensor":
                genes.append(Gene(stem, name, low, high, index))
                continue
            genes += [
                Gene(f"{stem}.{parent}", name, low, high, index, place)
                for place, parent in enumerate(parent_names)
            ]
    return tuple(genes)


def bounds_of(name: str, params: SpaceParams, num_parents: int) -> Bounds:
    """Return the bounds of the genes of parameter ``name``."""
    if name == SOURCE:
        return (0.0, float(num_parents)) if num_parents > 1 else (0.0, 0.0)
    bounds: Bounds = getattr(params, name)
    return bounds


def _check_parents(spec: MethodSpec, num_parents: int) -> None:
    most = spec.max_parents
    if num_parents >= spec.min_parents and (most is None or num_parents <= most):
        return
    if most is None:
        legal = f"{spec.min_parents} or more"
    else:
        legal = str(most) if most == spec.min_parents else f"{spec.min_parents} to {most}"
    raise ParamsError(
        f"params.yaml: select.space.methods: {spec.name} merges {legal} parents, download.parents "
        f"lists {num_parents}. Take {spec.name} out of the methods, or change the parents."
    )


def _check_bounds(spec: MethodSpec, parameter: Parameter, params: SpaceParams) -> None:
    name = parameter.name
    if name in (SOURCE, NORMALIZE):
        return
    if name not in SEARCHED:
        if parameter.default is None:
            raise ParamsError(
                f"params.yaml: select.space.methods: {spec.name} needs the parameter {name!r}, "
                f"which the space cannot search. It searches {', '.join(SEARCHED)}; take "
                f"{spec.name} out of the methods."
            )
        return
    low, high = bounds_of(name, params, 1)
    if low < parameter.low or high > parameter.high or not (math.isfinite(low + high)):
        raise ParamsError(
            f"params.yaml: select.space.{name} is [{low}, {high}]. {spec.name} takes {name} in "
            f"[{parameter.low}, {parameter.high}]; narrow the bounds."
        )
