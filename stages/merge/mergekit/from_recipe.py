"""A recipe as a MergeKit document, where that language can say it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from stages.checkpoint.reader import Checkpoint
from stages.errors import Faults, RecipeError
from stages.merge.architecture.layout import layout_of
from stages.merge.arithmetic.method import Settings
from stages.merge.mergekit.exported_values import Exported, ExportedValues
from stages.merge.mergekit.method_spellings import dialect_of
from stages.merge.mergekit.schema import given
from stages.merge.plan.arrangement import Arrangement
from stages.merge.plan.child_rows import ChildRow, child_rows
from stages.merge.plan.planner import plan
from stages.merge.plugins import method_of
from stages.recipe.recipe import Recipe, Slice, Span
from stages.recipe.tokenizer import TokenOrigin

Tensors = list[tuple[ChildRow, Settings]]


def from_recipe(
    recipe: Recipe, models: Sequence[Checkpoint], places: Sequence[str]
) -> dict[str, Any]:
    """Return the document of a recipe in its one spelling; ``places`` are what it calls models.

    The seed is not in it: MergeKit, as ``germline merge``, is given one as an option.

    Raises:
        RecipeError: the recipe says what no document can, or cannot be carried out; all of that
            is listed.
    """
    return _Exporter(recipe, models, places).document()


@dataclass(frozen=True, slots=True)
class _Part:
    """Some layers of the child with values of their own: its spans, and its tensors."""

    source: Slice
    tensors: Tensors
    values: Exported = field(default_factory=lambda: Exported({}, ()))


class _Exporter:
    """Writes one document; what it cannot say is a fault."""

    def __init__(
        self, recipe: Recipe, models: Sequence[Checkpoint], places: Sequence[str]
    ) -> None:
        self._recipe = recipe
        self._places = places
        self._faults = Faults()
        planned = plan(recipe, models)
        self._settings = {tensor.name: tensor.settings for tensor in planned.tensors}
        self._layout = layout_of(models[0])
        rows = child_rows(Arrangement.of(recipe), tuple(models)).rows
        self._rows = [row for row in rows if not row.is_copied]
        spec = method_of(recipe.method).spec
        self._dialect = dialect_of(spec)
        self._filters = sorted({part for rule in recipe.rules for part in rule.parts})
        self._values = ExportedValues(spec, self._dialect, self._filters, self._faults)

    def document(self) -> dict[str, Any]:
        recipe = self._recipe
        with self._faults.at("MergeKit's language"):
            self._check()
            modules = {name: self._parts(name) for name in self._modules()}
            self._keep_filters(modules)
            body = self._body(modules)
            document = body | given(
                merge_method=recipe.method,
                base_model=self._base_model(modules),
                dtype=recipe.rounding if recipe.rounding not in (None, "own") else None,
                compat="mergekit" if recipe.rounding else None,
                chat_template=recipe.tokenizer.chat_template,
                tokenizer=self._tokenizer(),
            )
            key = "out_dtype" if recipe.rounding else "dtype"
            document |= given(**{key: recipe.dtype})
        self._faults.raise_as(RecipeError)
        return document

    def _check(self) -> None:
        recipe = self._recipe
        if any(rule.method for rule in recipe.rules):
            self._faults.add("a rule has a method of its own. Give one method for all tensors.")
        if recipe.rounding not in (None, "own") and recipe.dtype is None:
            self._faults.add("steps are rounded to a dtype, and the child is not. Give dtype too.")
        slices = [one for module in recipe.layers for one in module.slices]
        if any(one.gains != (1, 1) for one in slices):
            self._faults.add("a slice has gains. Give gains of 1, or merge the recipe itself.")
        if any(part.stream_scale != 1 for part in self._recipe.layers):
            self._faults.add("a stream_scale is given. Set it to 1, or merge the recipe itself.")
        many = self._dialect.base == "frame" and any(len(r.parents) > 1 for r in self._rows)
        if many:
            self._faults.add(f"{recipe.method} of several parents. Give one parent.")

    def _modules(self) -> list[str]:
        return list(dict.fromkeys(row.module for row in self._rows))

    def _slices(self, module: str) -> Sequence[Slice]:
        """Return the slices of a module; of whole models it is one of all layers."""
        recipe = self._recipe
        for part in recipe.layers:
            if part.module == module:
                return part.slices
        depth = max((r.layer + 1 for r in self._rows_of(module) if r.layer is not None), default=0)
        spans = tuple(Span(index, 0, depth) for index in recipe.parents)
        return (Slice(spans, None if recipe.base is None else Span(recipe.base, 0, depth)),)

    def _rows_of(self, module: str) -> list[ChildRow]:
        return [row for row in self._rows if row.module == module]

    def _parts(self, module: str) -> list[_Part]:
        """Return a module's slices, cut where the values of a kind of tensor change."""
        layers: dict[int, Tensors] = {}
        before: Tensors = []
        after: Tensors = []
        for row in self._rows_of(module):
            home = before if row.is_before else after
            home = home if row.layer is None else layers.setdefault(row.layer, [])
            home.append((row, self._settings[row.name]))
        parts: list[_Part] = []
        stands_at = 0
        for source in self._slices(module):
            start = 0
            length = source.parents[0].length
            if not length:
                parts.append(_Part(source, []))
            for index in range(1, length + 1):
                here, last = stands_at + index, index == length
                if last or self._changes(layers.get(here - 1, []), layers.get(here, [])):
                    part_layers = range(stands_at + start, here)
                    tensors = [pair for layer in part_layers for pair in layers.get(layer, [])]
                    parts.append(_Part(_cut(source, start, index), tensors))
                    start = index
            stands_at += length
        parts[0].tensors.extend(before)
        parts[-1].tensors.extend(after)
        return [replace(part, values=self._values.of(part.tensors)) for part in parts]

    def _keep_filters(self, modules: Mapping[str, list[_Part]]) -> None:
        """Let the document name every filter that the rules are made of.

        Who reads it makes rules of its filters. What no value needs, as its layers are in slices
        of their own, comes after the value for all tensors, where it changes nothing.
        """
        exported = [part.values for parts in modules.values() for part in parts]
        keys = {row.key for row in self._rows}  # names in full are found again where needed
        parts_of_names = [part for part in self._filters if part not in keys]
        unused = [f for f in parts_of_names if not any(values.names(f) for values in exported)]
        if unused:
            parts = next(iter(modules.values()))
            parts[0] = replace(parts[0], values=parts[0].values.also_naming(unused))

    def _changes(self, one: Tensors, two: Tensors) -> bool:
        """Return whether a tensor of one layer has other settings than that of the next."""
        first = {self._layout.renamed(row.key, 0): settings for row, settings in one}
        return any(
            first.get(self._layout.renamed(row.key, 0), settings) != settings
            for row, settings in two
        )

    def _body(self, modules: Mapping[str, list[_Part]]) -> dict[str, Any]:
        """Return the models, slices or modules of the document."""
        if len(modules) == 1:
            return self._module(next(iter(modules.values())))
        return {"modules": {name: self._module(parts) for name, parts in modules.items()}}

    def _module(self, parts: list[_Part]) -> dict[str, Any]:
        is_added = self._dialect.base == "parent" and 0 not in self._recipe.parents
        if len(parts) == 1 and not self._recipe.layers and not is_added:
            inputs = self._inputs(parts[0], has_layers=False)
            return given(models=inputs, parameters=parts[0].values.shared)
        slices = [
            given(
                sources=self._inputs(part, has_layers=True),
                base_model=self._slice_base(part.source),
                parameters=part.values.shared,
            )
            for part in parts
        ]
        return {"slices": slices}

    def _inputs(self, part: _Part, *, has_layers: bool) -> list[dict[str, Any]]:
        source = part.source
        own_values = part.values.parents or ({},) * len(source.parents)
        inputs = [(span, dict(own)) for span, own in zip(source.parents, own_values, strict=True)]
        if source.base is not None:  # at its place among the ancestors, which a reader counts
            later = (n for n, (s, _) in enumerate(inputs) if s.ancestor > source.base.ancestor)
            inputs.insert(next(later, len(inputs)), (source.base, {}))
        return [
            given(
                model=self._places[span.ancestor],
                layer_range=[span.first, span.stop] if has_layers else None,
                parameters=own,
            )
            for span, own in inputs
        ]

    def _slice_base(self, source: Slice) -> str | None:
        role = self._dialect.base
        own = source.base if role == "apart" else source.parents[0] if role == "first" else None
        return self._places[own.ancestor] if own is not None and own.ancestor else None

    def _base_model(self, modules: Mapping[str, list[_Part]]) -> str | None:
        """Return the frame, or None where the document is not to name a base."""
        sources = [part.source for parts in modules.values() for part in parts]
        role, tokenizer = self._dialect.base, self._recipe.tokenizer
        is_first = sources[0].spans[0].ancestor == 0
        if role == "apart" and sources[0].base is None:
            if not is_first or (tokenizer.pin and tokenizer.missing == "frame"):
                self._faults.add("a frame that is not merged, for a method that would take it.")
            return None
        if role in {"parent", "frame"} and is_first:
            return self._places[0] if tokenizer.pin and tokenizer.missing == "frame" else None
        if tokenizer.pin and tokenizer.missing == "mean":
            self._faults.add("a base, and rows that are missing in it as the models' mean.")
        return self._places[0]

    def _tokenizer(self) -> dict[str, Any] | None:
        tokenizer = self._recipe.tokenizer
        is_plain = tokenizer.source in {"base", "unmoved"} and not tokenizer.pin
        if is_plain and not tokenizer.tokens and tokenizer.pad_to_multiple_of is None:
            return None
        source = tokenizer.source
        return given(
            source=self._places[source] if isinstance(source, int) else source,
            tokens={token: self._row(row) for token, row in tokenizer.tokens.items()},
            pad_to_multiple_of=tokenizer.pad_to_multiple_of,
        )

    def _row(self, row: TokenOrigin) -> dict[str, Any]:
        if row.ancestor is None:
            return {"source": {"kind": "zero"}, "force": row.force}
        model = self._places[row.ancestor]
        if row.token is None and row.token_id is None:
            return {"source": model, "force": row.force}
        detail = {"kind": "model_token", "model": model, "token": row.token}
        return {"source": given(**detail, token_id=row.token_id), "force": row.force}


def _cut(source: Slice, start: int, stop: int) -> Slice:
    def cut(span: Span) -> Span:
        return Span(span.ancestor, span.first + start, span.first + stop)

    return Slice(tuple(map(cut, source.parents)), source.base and cut(source.base))
