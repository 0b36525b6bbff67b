"""What each tensor of the child is made of: slices stacked, layers renumbered, tensors matched.

What stands before the layers comes from the first slice, what stands after them from the last.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from stages.checkpoint.model_config.quantised_weights import why_quantised
from stages.checkpoint.reader import Checkpoint
from stages.errors import Faults
from stages.merge.architecture.child_config import Origins, is_halved
from stages.merge.architecture.tensor_matching import known
from stages.merge.paths.layer_places import (
    why_depth_matters,
    why_others_matter,
    why_outside_matters,
    why_place_matters,
)
from stages.merge.plan.arrangement import Arrangement, common_length, place_of, why_fixed
from stages.merge.plan.outside_layers import Outside
from stages.merge.plan.renumbered_layers import Modules
from stages.recipe.recipe import Slice, Span


@dataclass(frozen=True, slots=True)
class RowPart:
    """A tensor of an ancestor, which stands at ``ancestor`` among the recipe's."""

    ancestor: int
    name: str


@dataclass(frozen=True, slots=True)
class ChildRow:
    """One tensor of the child and what it is merged of; with ``is_copied`` its only parent.

    ``key`` is the name by which rules match it: a tied head that is stored goes by its embedding.
    ``layer`` counts in the child, in the tensor's ``module``, and is None outside the layers;
    ``is_before`` says on which side of them it then is. ``where`` names the slice in messages;
    ``gains`` are the slice's, of attention and MLP.
    """

    name: str
    key: str
    module: str
    layer: int | None
    is_before: bool
    base: RowPart | None
    parents: tuple[RowPart, ...]
    where: str = ""
    is_copied: bool = False
    gains: tuple[float, float] = (1.0, 1.0)

    @property
    def parts(self) -> tuple[RowPart, ...]:
        """The base's tensor, if there is a base, then the parents'."""
        return self.parents if self.base is None else (self.base, *self.parents)


@dataclass(frozen=True, slots=True)
class ChildRows:
    """The child's rows, sorted by name; what cannot be met is in ``faults``.

    ``origins`` give, for each module whose layers the config must describe again, the ancestor
    and the layer that each of the child's layers has its kind from. ``notes`` say what configs
    differ in that nobody can judge.
    """

    rows: tuple[ChildRow, ...]
    origins: Mapping[str, Origins]
    faults: Faults
    notes: tuple[str, ...] = ()


@lru_cache(maxsize=2)  # who makes a recipe and who plans it ask for the same
def child_rows(arrangement: Arrangement, models: tuple[Checkpoint, ...]) -> ChildRows:
    """Return what the child of an arrangement of ``models`` is made of, from headers alone."""
    return _Builder(arrangement, models).build()


class _Builder:
    """Stacks the slices of each module; faults are kept in order."""

    def __init__(self, arrangement: Arrangement, models: Sequence[Checkpoint]) -> None:
        labels = arrangement.labels
        frame = known(models[0], labels[0])
        self._faults = Faults()
        self._arrangement = arrangement
        arrangement.check(frame.layout, self._faults)
        self._frame = frame
        self._merged = arrangement.merged_modules(frame.layout)
        self._models = {
            index: Modules(model, labels[index], frame, self._merged)
            for index, model in enumerate(models)
        }
        self._outside = Outside(self._merged, self._models)
        self._origins: dict[str, Origins] = {}
        self._notes: dict[str, None] = {}

    def build(self) -> ChildRows:
        for model in self._models.values():
            reason = why_quantised(model.match.other.model)
            if reason:  # nothing else that is said of such tensors would help
                self._faults.add(f"{model.label}: {reason}")
        if self._faults:
            return ChildRows((), self._origins, self._faults)
        rows = {row.name: row for name in self._merged for row in self._module(name)}
        with self._faults.at(""):
            for tensor, message in self._outside.complaints():
                with self._faults.at(f"tensor {tensor}"):
                    self._faults.add(message)
        twins = self._outside.twins.items()
        rows |= {n: replace(rows[twin], name=n) for n, twin in twins if twin in rows}
        for name in self._outside.copied:
            own = (RowPart(0, name),)
            row = ChildRow(name, name, "", None, False, None, own, is_copied=True)
            rows[self._renumbered(name)] = replace(row, name=self._renumbered(name))
        ordered = tuple(rows[name] for name in sorted(rows))
        return ChildRows(ordered, self._origins, self._faults, tuple(self._notes))

    def _renumbered(self, name: str) -> str:
        """Return the name of a tensor in no layer; a layer beyond the child's follows them."""
        layout, origins = self._frame.layout, self._origins.get(self._frame.layout.main)
        return layout.renumbered(name, len(origins)) if origins is not None else name

    def _module(self, name: str) -> list[ChildRow]:
        span_faults = Faults()
        slices = self._arrangement.slices(name, self._models, span_faults)
        self._faults.include(span_faults)
        used = sorted({span.ancestor for part in slices for span in part.spans})
        if not self._is_everywhere(name, used):
            return []
        for index in used:
            match = self._models[index].match
            for message in match.config_conflicts(layers=self._arrangement.is_whole):
                self._faults.add(message)
            self._notes |= dict.fromkeys(match.config_notes(layers=self._arrangement.is_whole))
        rows, origins = self._stacked(name, slices)
        if span_faults:  # which layers the child has is not known, so nothing follows from them
            return rows
        if not self._arrangement.is_whole:
            self._arrange(name, slices, origins)
        return rows

    def _arrange(self, name: str, slices: Sequence[Slice], origins: Origins) -> None:
        """Take note of where a module's layers come from, and of why they cannot."""
        frame, config = self._models[0], self._frame.model.config
        depth = frame.layers(name).num_layers
        is_moved = [n for _, n in origins] != [*range(depth)]
        is_main = name == self._frame.layout.main and not is_halved(config)
        problem = why_fixed(name, frame, origins) if is_moved else None
        if is_main and is_moved:
            problem = problem or _why_other(config, has_same_depth=len(origins) == depth)
        if is_main and len({frozenset(s.ancestor for s in part.spans) for part in slices}) > 1:
            problem = problem or why_others_matter(config) or why_outside_matters(config)
        if problem:
            self._faults.add(problem)
        if is_moved or is_main:
            self._origins[name] = origins

    def _is_everywhere(self, name: str, used: Sequence[int]) -> bool:
        lacking = [
            self._models[index].label for index in used if not self._models[index].has(name)
        ]
        if lacking:
            text = f"{', '.join(lacking)} has no module {name}, {self._frame.label} has it."
            self._faults.add(f"{text} Merged models are of one kind; leave it out.")
        return not lacking

    def _stacked(self, name: str, slices: Sequence[Slice]) -> tuple[list[ChildRow], Origins]:
        origins: list[tuple[int, int]] = []
        rows = [*self._outer(name, slices[0], is_before=True)]
        for number, part in enumerate(slices):
            where = place_of(self._arrangement, name, number)
            for index in range(common_length(part, name, self._models)):
                with self._faults.at(where):
                    layer = list(self._layer(name, part, index, len(origins)))
                rows += [replace(row, where=where) for row in layer]
                leading = part.spans[_leading(part.spans)]
                origins.append((leading.ancestor, leading.first + index))
        return [*rows, *self._outer(name, slices[-1], is_before=False)], tuple(origins)

    def _outer(self, name: str, part: Slice, *, is_before: bool) -> Iterator[ChildRow]:
        places = [span.ancestor for span in part.spans]
        named = self._outside.of_module(name, places, is_before=is_before)
        for key in sorted(set.intersection(*(set(names_by_key) for names_by_key in named))):
            names = [names_by_key[key] for names_by_key in named]
            row = _row(key, name, None, part, names, is_before=is_before)
            yield replace(row, name=self._renumbered(key))

    def _layer(self, name: str, part: Slice, index: int, stands_at: int) -> Iterator[ChildRow]:
        """Give the rows of one layer of the child, its buffers from one ancestor alone."""
        spans = self._asked(part)
        layers = [(span, self._models[span.ancestor].layers(name)) for span in spans]
        named = [stack.weights(span.first + index, stands_at) for span, stack in layers]
        for key in sorted({key for names_by_key in named for key in names_by_key}):
            names = [names_by_key.get(key) for names_by_key in named]
            if None in names:
                self._missing(key, spans, names)
                continue
            known = [n for n in names if n is not None][: len(part.spans)]
            yield _row(key, name, stands_at, part, known)
        span, stack = layers[_leading(spans)]
        for key, buffer in stack.buffers(span.first + index, stands_at).items():
            own = (RowPart(span.ancestor, buffer),)
            yield ChildRow(key, key, name, stands_at, False, None, own, is_copied=True)

    def _asked(self, part: Slice) -> Sequence[Span]:
        """Return the spans that must have the same tensors: of whole models, the frame's too."""
        spans = part.spans
        if not self._arrangement.is_whole or 0 in [span.ancestor for span in spans]:
            return spans
        return (*spans, replace(spans[0], ancestor=0))

    def _missing(self, tensor: str, spans: Sequence[Span], names: Sequence[str | None]) -> None:
        pairs = [
            (self._models[span.ancestor].label, name)
            for span, name in zip(spans, names, strict=True)
        ]
        lack = ", ".join(dict.fromkeys(label for label, name in pairs if name is None))
        have = ", ".join(dict.fromkeys(label for label, name in pairs if name is not None))
        is_surplus = self._frame.label in lack.split(", ")
        both = [f"{have} has one", f"{lack} has none"]
        said = ", ".join(both if is_surplus else both[::-1])
        with self._faults.at(f"tensor {tensor}"):
            self._faults.add(
                f"{said}. Merged models have the same tensors; leave "
                f"{have if is_surplus else lack} out."
            )


def _leading(spans: Sequence[Span]) -> int:
    """Return the place of the span that gives a slice its kinds of layers and its buffers."""
    places = [span.ancestor for span in spans]
    return places.index(0) if 0 in places else 0


def _row(
    key: str,
    module: str,
    layer: int | None,
    part: Slice,
    names: Sequence[str],
    *,
    is_before: bool = False,
) -> ChildRow:
    parts = tuple(RowPart(s.ancestor, name) for s, name in zip(part.spans, names, strict=True))
    base, parents = (None, parts) if part.base is None else (parts[0], parts[1:])
    gains = (1.0, 1.0) if layer is None else part.gains
    return ChildRow(key, key, module, layer, is_before, base, parents, gains=gains)


def _why_other(config: Mapping[str, Any], *, has_same_depth: bool) -> str | None:
    """Return why layers that are moved, added or left out compute something else."""
    by_depth = None if has_same_depth else why_depth_matters(config)
    return why_place_matters(config) or by_depth or why_others_matter(config)
