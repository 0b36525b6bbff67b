"""The values of each tensor, in our names, from what a document's levels say in MergeKit's."""

import math
from dataclasses import dataclass

from stages.errors import Faults, RecipeError
from stages.merge.arithmetic.method import Method
from stages.merge.arithmetic.weighted_sums import MIN_SUM
from stages.merge.mergekit.gradients_and_filters import resolve
from stages.merge.mergekit.method_spellings import Dialect, Term
from stages.merge.mergekit.schema import Input, Values
from stages.merge.plan.rule_settings import settings_of
from stages.recipe.recipe import Rule, Value

_ANY_DENSITY = 0.5  # of a task vector whose weight is 0
_VOTING = ("ties", "dare_ties", "breadcrumbs_ties", "della")  # divide entry by entry
_Key = tuple[int, tuple[tuple[float | str, ...], ...]]


@dataclass(frozen=True, slots=True)
class AskedValue:
    """A tensor for which values are asked: the parents, with the tensor's name in each.

    ``key`` is its name in the child, ``levels`` those of the slice, the module and the document,
    and ``t`` its layer's place in the slice: 0 in the first layer, 1 in the last. ``where`` is
    the slice's place in the file.
    """

    key: str
    parents: tuple[tuple[Input, str], ...]
    levels: tuple[Values, ...]
    t: float
    where: str


class ResolvedValues:
    """Resolves and checks values; ``notes`` says which of those given change nothing."""

    def __init__(self, method: Method, dialect: Dialect, faults: Faults) -> None:
        self._method = method
        self._dialect = dialect
        self._faults = faults
        self._parameters = {p.name: p for p in method.spec.parameters}
        self._known: dict[_Key, tuple[dict[str, Value], str | None]] = {}
        self._missing: set[tuple[str, str]] = set()
        self.notes: dict[str, None] = {}

    def of(self, asked: AskedValue) -> dict[str, Value] | None:
        """Return the values of one tensor, or None where one is missing or not legal."""
        groups = []
        for name, term in self._dialect.terms.items():
            group = self._values(name, term, asked)
            if group is None:
                return None
            groups.append(group)
        for name in self._dialect.others:
            if any(name in values for values in _all_levels(asked)):
                text = f"{name} is a parameter of other methods; {self._method.spec.name}"
                self.notes[f"{text} does not read it."] = None
        key = (len(asked.parents), tuple(groups))
        if key not in self._known:
            values = self._spelled(key)
            self._known[key] = (values, self._fault_of(values, len(asked.parents)))
        values, fault = self._known[key]
        if fault is None:
            return values
        with self._faults.at(f"{asked.where}: parameters"):
            self._faults.add(fault)
        return None

    def note_base(self, base: Input) -> None:
        """Take note of values that a base is given, which no method reads."""
        for name in base.values:
            self.notes[f"{base.where}: {name} of the base has no effect."] = None

    def _values(self, name: str, term: Term, asked: AskedValue) -> tuple[float | str, ...] | None:
        wheres = [parent.where for parent, _ in asked.parents]
        given = [
            (where, resolve(name, levels, tensor, asked.t))
            for where, (levels, tensor) in zip(
                [asked.where] if term.level == "tensor" else wheres,
                _levels(term, asked),
                strict=True,
            )
        ]
        values = [term.default if value is None else value for _, value in given]
        if term.is_switch:  # between the anchors of a gradient it is on, as in MergeKit
            values = [None if value is None else float(value != 0.0) for value in values]
        if term.ours is None and any(value is not None for _, value in given):
            self.notes[f"{name} has no effect on {self._method.spec.name}, as in MergeKit."] = None
        for (where, _), value in zip(given, values, strict=True):
            if value is None and (where, name) not in self._missing:
                self._missing.add((where, name))
                with self._faults.at(where):
                    self._faults.add(f"{name} is missing, first for tensor {asked.key}. Add it.")
        known = tuple(value for value in values if value is not None)
        return known if len(known) == len(values) else None

    def _spelled(self, key: _Key) -> dict[str, Value]:
        """Return values under our names."""
        values: dict[str, Value] = {}
        for term, group in zip(self._dialect.terms.values(), key[1], strict=True):
            if term.ours is None:
                continue
            parameter = self._parameters[term.ours]
            if parameter.choices and term.is_switch:  # rescale: on, it restores the L1 norm
                values[term.ours] = "l1" if group[0] == 1.0 else "none"
            elif parameter.level == "parent" and not parameter.choices:
                values[term.ours] = tuple(v for v in group if not isinstance(v, str))
            else:
                values[term.ours] = group[0]
        return _without_nothing(values, votes=self._method.spec.name in _VOTING)

    def _fault_of(self, values: dict[str, Value], num_parents: int) -> str | None:
        try:
            settings_of(Rule(values), self._method, num_parents)
        except RecipeError as error:
            return str(error)
        return None


def _levels(term: Term, asked: AskedValue) -> list[tuple[tuple[Values, ...], str]]:
    """Return the levels that say a parameter, and the tensor's name, once for each value."""
    if term.level == "tensor":
        return [(asked.levels, asked.key)]
    return [((parent.values, *asked.levels), tensor) for parent, tensor in asked.parents]


def _all_levels(asked: AskedValue) -> tuple[Values, ...]:
    return (*asked.levels, *(parent.values for parent, _ in asked.parents))


def _without_nothing(values: dict[str, Value], *, votes: bool) -> dict[str, Value]:
    """Return values with a weight of 0 for each task vector of which density 0 keeps nothing.

    Where all weights are summed to normalise, they are divided by their sum first: what is not
    kept has its share of it. Where the entries vote, those that are not kept have none.
    """
    densities, weights = values.get("density"), values.get("weight")
    if not isinstance(densities, tuple) or not isinstance(weights, tuple) or 0.0 not in densities:
        return values
    total = math.fsum(float(weight) for weight in weights)
    if values.get("normalize") == 1.0 and not votes and abs(total) >= MIN_SUM:
        weights = tuple(float(weight) / total for weight in weights)
        values = {**values, "normalize": 0.0}
    pairs = [*zip(weights, densities, strict=True)]
    return {
        **values,
        "weight": tuple(weight if density else 0.0 for weight, density in pairs),
        "density": tuple(density or _ANY_DENSITY for _, density in pairs),
    }
