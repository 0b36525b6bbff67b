"""Genes: one bounded number each, laid out over blocks and parents from their spans."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from stages.errors import ParamsError
from stages.hashing import nearest
from stages.params.space.space_params import SpaceParams
from stages.recipe.method_spec import MethodSpec
from stages.recipe.recipe import Value
from stages.select.space.layer_blocks import Block

METHOD = "method"  # the gene whose bin chooses the method
SOURCE = "source"  # the parameter whose bin chooses a parent


@dataclass(frozen=True, slots=True)
class GeneSpan:
    """What every gene of one parameter reaches from and to, as ``Gene`` has it."""

    parameter: str
    level: Literal["parent", "tensor"]
    low: float
    high: float
    is_binned: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gene:
    """One number in [low, high]: ``parameter`` in ``block`` for ``parent`` (None: per tensor).

    A gene with ``low == high`` is fixed: it has a value and no place in the genome. A binned gene
    stands for a whole number: the floor of its value, the highest bin closed. With ``choices``
    that number is the place of a name among them.
    """

    name: str
    parameter: str
    low: float
    high: float
    block: int = 0
    parent: int | None = None
    is_binned: bool = False
    choices: tuple[str, ...] = ()

    @property
    def is_category(self) -> bool:
        """True where the bins are names, of methods, parents or settings: they have no order."""
        return bool(self.choices) or self.parameter == SOURCE

    @property
    def num_bins(self) -> int:
        """The number of whole numbers or names that a binned gene chooses from."""
        return round(self.high - self.low)

    @property
    def is_fixed(self) -> bool:
        """True where the bounds leave nothing to search."""
        return self.low == self.high

    def clip(self, value: float, decimals: int) -> float:
        """Return ``value`` rounded to ``decimals`` and held within the bounds; never -0.0."""
        if self.is_fixed:
            return self.low
        return min(max(round(value, decimals), self.low), self.high) + 0.0

    def value_of(self, number: float) -> float | str:
        """Return what ``number`` stands for in a rule: itself, a whole number or a name."""
        if not self.is_binned:
            return number
        whole = max(min(math.floor(number), self.high - 1), self.low)
        return self.choices[int(whole)] if self.choices else float(whole)

    def number_of(self, value: Value | None) -> float | None:
        """Return the number that stands for ``value``, of a bin its middle; None if none does."""
        if self.choices:
            return self.choices.index(value) + 0.5 if value in self.choices else None
        if not isinstance(value, int | float):
            return None
        return max(min(round(value), self.high - 1), self.low) + 0.5 if self.is_binned else value


def specs_of(
    params: SpaceParams, specs: Mapping[str, MethodSpec], num_parents: int
) -> tuple[MethodSpec, ...]:
    """Return the specs of the methods that ``params`` lists, in its order.

    Raises:
        ParamsError: a method is unknown or listed twice, or takes another number of parents.
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
    listed = tuple(specs[method] for method in params.methods)
    for spec in listed:
        _check_parents(spec, num_parents)
    return listed


def genes_of(
    methods: tuple[str, ...],
    spans: Sequence[GeneSpan],
    blocks: Sequence[Block],
    parent_names: Sequence[str],
) -> tuple[Gene, ...]:
    """Return every gene, fixed ones too: the method, then each block's parameters by parent."""
    genes = []
    if len(methods) > 1:
        high = float(len(methods))
        genes.append(Gene(METHOD, METHOD, 0.0, high, is_binned=True, choices=methods))
    for index, block in enumerate(blocks):
        for span in spans:
            stem = f"{block.name}.{span.parameter}" if block.name else span.parameter
            places: list[tuple[str, int | None]] = [(stem, None)]
            if span.level == "parent":
                places = [(f"{stem}.{parent}", i) for i, parent in enumerate(parent_names)]
            genes += [
                Gene(
                    name,
                    span.parameter,
                    span.low,
                    span.high,
                    index,
                    parent,
                    span.is_binned,
                    span.choices,
                )
                for name, parent in places
            ]
    return tuple(genes)


def _check_parents(spec: MethodSpec, num_parents: int) -> None:
    if not spec.merges(num_parents):
        raise ParamsError(
            f"params.yaml: select.space.methods: {spec.name} merges {spec.legal_parents} parents, "
            f"download.parents lists {num_parents}. Take {spec.name} out of the methods, or "
            "change the parents."
        )
