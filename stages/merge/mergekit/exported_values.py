"""The values of a slice as a MergeKit document gives them: by filters, in MergeKit's names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.errors import Faults
from stages.merge.arithmetic.method import Settings
from stages.merge.mergekit.decision_list import decision_list
from stages.merge.mergekit.method_spellings import Dialect, Term
from stages.merge.plan.child_rows import ChildRow
from stages.recipe.method_spec import MethodSpec, Parameter

Told = float | str | bool | None


@dataclass(frozen=True, slots=True)
class Exported:
    """The parameters of a slice: those that count for all of it, and those of each parent."""

    shared: Mapping[str, Any]
    parents: tuple[Mapping[str, Any], ...]

    def names(self, part: str) -> bool:
        """Return whether a value is given by this filter."""
        values = [value for given in (self.shared, *self.parents) for value in given.values()]
        lists = [value for value in values if isinstance(value, list)]
        return any(entry["filter"] == part for entries in lists for entry in entries)

    def also_naming(self, parts: Sequence[str]) -> "Exported":
        """Return the same values with filters that no tensor is left for."""
        groups = [dict(given) for given in (self.shared, *self.parents)]
        group = next((given for given in groups if given), None)
        if group is not None:
            name, value = next(iter(group.items()))
            entries = value if isinstance(value, list) else [{"filter": "*", "value": value}]
            last = entries[-1]["value"]
            group[name] = [*entries, *({"filter": part, "value": last} for part in parts)]
        return Exported(groups[0], tuple(groups[1:]))


class ExportedValues:
    """Spells settings in MergeKit's names; ``parts`` are the filters to try first."""

    def __init__(
        self, spec: MethodSpec, dialect: Dialect, parts: Sequence[str], faults: Faults
    ) -> None:
        self._spec = spec
        self._terms = {t.ours: (n, t) for n, t in dialect.terms.items() if t.ours is not None}
        self._parts = parts
        self._faults = faults

    def of(self, tensors: Sequence[tuple[ChildRow, Settings]]) -> Exported:
        """Return the parameters that give these tensors of one slice their settings."""
        count = len(tensors[0][0].parents) if tensors else 0
        shared: dict[str, Any] = {}
        parents: list[dict[str, Any]] = [{} for _ in range(count)]
        for parameter in self._spec.parameters:
            if parameter.name not in self._terms:
                self._check_default(parameter, [settings for _, settings in tensors])
                continue
            name, term = self._terms[parameter.name]
            lists = [
                self._listed(parameter, term, index, tensors)
                for index in range(count if term.level == "model" else 1)
            ]
            if all(one == lists[0] for one in lists):
                shared |= {} if lists[0] is None else {name: lists[0]}
                continue
            for mine, one in zip(parents, lists, strict=True):
                mine |= {name: term.default if one is None else one}
        return Exported(shared, tuple(parents))

    def _listed(
        self,
        parameter: Parameter,
        term: Term,
        index: int,
        tensors: Sequence[tuple[ChildRow, Settings]],
    ) -> Any:
        """Return the values of one parameter; None where all are MergeKit's default."""
        items = [
            (
                row.parents[index].name if term.level == "model" else row.key,
                self._told(parameter, term, _value(settings, parameter, index)),
            )
            for row, settings in tensors
        ]
        default = bool(term.default) if term.is_switch else term.default
        if all(value == default and term.default is not None for _, value in items):
            return None
        entries = decision_list(items, self._parts)
        if len(entries) == 1:
            return entries[0][1]
        return [{"filter": part or "*", "value": value} for part, value in entries]

    def _told(self, parameter: Parameter, term: Term, value: float | str) -> Told:
        if parameter.choices and term.is_switch:
            if value not in ("l1", "none"):
                self._faults.add(
                    f"{parameter.name} is {value!r}, which MergeKit has not. Give l1 or none."
                )
            return value == "l1"
        return bool(value) if term.is_switch else value

    def _check_default(self, parameter: Parameter, settings: Sequence[Settings]) -> None:
        given = {
            value
            for one in settings
            for value in one.parent.get(parameter.name, (_value(one, parameter, 0),))
        }
        if given - {parameter.default}:
            self._faults.add(
                f"{parameter.name} is {max(map(str, given))}; MergeKit's {self._spec.name} has no "
                "such parameter. Leave it at its default."
            )


def _value(settings: Settings, parameter: Parameter, index: int) -> float | str:
    name = parameter.name
    if parameter.choices:
        return settings.choice[name]
    return settings.parent[name][index] if parameter.level == "parent" else settings.tensor[name]
