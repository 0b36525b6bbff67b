"""What a list of rules says about each gene: the reading half of ``Space.encode``."""

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean

from stages.recipe.recipe import Rule
from stages.select.space.gene_ranges import NORMALIZE
from stages.select.space.genes import SOURCE, Gene
from stages.select.space.layer_blocks import Block


def read_rules(
    rules: Sequence[Rule], blocks: Sequence[Block], num_parents: int, *, divides: bool
) -> Callable[[Gene], float | None]:
    """Return the function that reads a gene off ``rules``: None where they do not say.

    ``divides`` says whether weights that a rule normalises are to be divided by their sum.
    """
    columns = [
        [
            _values_at(rule, num_parents, divides=divides)
            for cell in block.cells
            for rule in _first(rules, *cell)
        ]
        for block in blocks
    ]

    def read(gene: Gene) -> float | None:
        values = [
            cell[gene.parameter][gene.parent or 0]
            for cell in columns[gene.block]
            if gene.parameter in cell
        ]
        if gene.choices or gene.parameter == SOURCE:
            known = [value for value in values if gene.number_of(value) is not None]
            return gene.number_of(Counter(known).most_common(1)[0][0]) if known else None
        numbers = [value for value in values if not isinstance(value, str)]
        return gene.number_of(fmean(numbers)) if numbers else None

    return read


def _first(rules: Sequence[Rule], layer: int | None, component: str) -> list[Rule]:
    """Return the first rule that matches a tensor of ``layer`` and ``component``, or nothing."""
    for rule in rules:
        if rule.component not in (None, component):
            continue
        if rule.layers is None:
            return [rule]
        if layer is not None and rule.layers[0] <= layer < rule.layers[1]:
            return [rule]
    return []


def _values_at(
    rule: Rule, num_parents: int, *, divides: bool
) -> dict[str, tuple[float, ...] | tuple[str, ...]]:
    """Return the rule's values, one per parent, with ``t`` and ``source`` filled in."""
    values: dict[str, tuple[float, ...] | tuple[str, ...]] = {}
    for name, value in rule.values.items():
        if isinstance(value, str):
            values[name] = (value,) * num_parents
        else:
            values[name] = value if isinstance(value, tuple) else (float(value),) * num_parents
    given = values.get("weight", ())
    weights = tuple(weight for weight in given if not isinstance(weight, str))
    if not weights:
        return values
    total = sum(weights)
    if num_parents == 2 and total:
        values.setdefault("t", (weights[1] / total,) * 2)
    values.setdefault(SOURCE, (float(weights.index(max(weights))),) * num_parents)
    if total and divides and rule.values.get(NORMALIZE):
        values["weight"] = tuple(weight / total for weight in weights)
    return values
