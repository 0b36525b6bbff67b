"""The settings of each tensor, in our names, from what the document's levels say in MergeKit's."""

from collections.abc import Callable, Sequence

from stages.errors import RecipeError
from stages.merge.arithmetic.method import Method, Settings
from stages.merge.mergekit.gradients_and_filters import resolve
from stages.merge.mergekit.method_spellings import Dialect, Term
from stages.merge.mergekit.schema import Input
from stages.merge.plan.layer_stacking import Row
from stages.merge.plan.rule_settings import settings_of
from stages.recipe.recipe import Rule
from stages.recipe.recipe import Value as RecipeValue

_Key = tuple[int, tuple[tuple[float | str, ...], ...]]


class SettingsTable:
    """Resolves and checks values; equal ones share one settings object.

    ``notes`` says which of the values given change nothing, each once.
    """

    def __init__(self, method: Method, dialect: Dialect, fault: Callable[[str], None]) -> None:
        self._method = method
        self._dialect = dialect
        self._fault = fault
        self._parameters = {p.name: p for p in method.spec.parameters}
        self._found: dict[_Key, Settings | str] = {}
        self._missing: set[tuple[str, str]] = set()
        self.notes: dict[str, None] = {}

    def settings(
        self, row: Row, parents: Sequence[Input], names: Sequence[str]
    ) -> Settings | None:
        """Return the settings of one tensor, or None where a value is missing or not legal."""
        found = []
        for term_name, term in self._dialect.terms.items():
            values = self._values(term_name, term, row, parents, names)
            if values is None:
                return None
            found.append(values)
        key = (len(parents), tuple(found))
        if key not in self._found:
            self._found[key] = self._checked(key)
        result = self._found[key]
        if isinstance(result, Settings):
            return result
        self._fault(f"{row.where}: {result}")
        return None

    def note_base(self, base: Input) -> None:
        """Take note of values that a base is given, which no method reads."""
        for name in base.values:
            self.notes[f"{base.where}: {name} of the base has no effect."] = None

    def _values(
        self,
        name: str,
        term: Term,
        row: Row,
        parents: Sequence[Input],
        names: Sequence[str],
    ) -> tuple[float | str, ...] | None:
        if term.level == "tensor":
            found = [(row.where, resolve(name, row.levels, row.key, row.t))]
        else:
            found = [
                (parent.where, resolve(name, (parent.values, *row.levels), tensor, row.t))
                for parent, tensor in zip(parents, names, strict=True)
            ]
        values = [term.default if value is None else value for _, value in found]
        if term.ours is None and any(value is not None for _, value in found):
            self.notes[f"{name} has no effect on {self._method.spec.name}, as in MergeKit."] = None
        for (where, _), value in zip(found, values, strict=True):
            if value is None and (where, name) not in self._missing:
                self._missing.add((where, name))
                self._fault(f"{where}: {name} is missing, first for tensor {row.name}. Add it.")
        known = tuple(value for value in values if value is not None)
        return known if len(known) == len(values) else None

    def _checked(self, key: _Key) -> Settings | str:
        """Return the settings of these values, or what is wrong with them."""
        num_parents, groups = key
        values: dict[str, RecipeValue] = {}
        for term, group in zip(self._dialect.terms.values(), groups, strict=True):
            if term.ours is None:
                continue
            parameter = self._parameters[term.ours]
            if parameter.choices and term.is_switch:  # rescale: on, it restores the L1 norm
                values[term.ours] = "l1" if group[0] == 1.0 else "none"
            elif parameter.level == "parent" and not parameter.choices:
                values[term.ours] = tuple(v for v in group if not isinstance(v, str))
            else:
                values[term.ours] = group[0]
        try:
            return settings_of(Rule(values), self._method, num_parents, "parameters")
        except RecipeError as error:
            return str(error)
