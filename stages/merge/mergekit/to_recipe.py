"""A MergeKit document as a recipe: spellings, defaults, roles, gradients and filters resolved."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stages.checkpoint.reader import Checkpoint
from stages.errors import Faults, RecipeError
from stages.merge.arithmetic.stepwise_rounding import IMITATED
from stages.merge.mergekit.ancestor_roles import Ancestors, Roles, base_inputs
from stages.merge.mergekit.method_spellings import dialect_of
from stages.merge.mergekit.resolved_values import AskedValue, ResolvedValues
from stages.merge.mergekit.schema import Config
from stages.merge.mergekit.tokenizer_rule import tokenizer_of
from stages.merge.mergekit.unused_filters import ambiguous_filters, entries_of, unused_filters
from stages.merge.mergekit.value_ranges import check_ranges
from stages.merge.mergekit.values_to_rules import Valued, rules_of
from stages.merge.plan.arrangement import Arrangement
from stages.merge.plan.child_rows import ChildRow, child_rows
from stages.merge.plan.whole_models import without_needless_layers
from stages.merge.plugins import method_of
from stages.recipe.canonical import canonical, canonical_values
from stages.recipe.model_reference import ModelReference
from stages.recipe.recipe import Ancestor, Recipe, Rule


@dataclass(frozen=True, slots=True)
class Opened:
    """A model that a document names: its headers, and what stands for it in a recipe."""

    checkpoint: Checkpoint
    ancestor: Ancestor


@dataclass(frozen=True, slots=True)
class Translation:
    """A recipe, its models in the order of its ancestors, and what of a file has no effect."""

    recipe: Recipe
    models: tuple[Checkpoint, ...]
    notes: tuple[str, ...]


def to_recipe(
    config: Config, opened: Mapping[ModelReference, Opened], *, seed: int
) -> Translation:
    """Return the recipe of ``config`` on models that are ``opened``, one for each reference.

    Raises:
        RecipeError: it says what no recipe can; every such fault is listed, one a line. What the
            models' tensors do not allow is left to the plan.
    """
    return _Translator(config, opened).translate(seed)


class _Translator:
    """Translates one document; faults are kept in order."""

    def __init__(self, config: Config, opened: Mapping[ModelReference, Opened]) -> None:
        self._config = config
        self._opened = [opened[reference] for reference in config.references]
        self._faults = Faults()
        self._method = method_of(config.method)
        self._dialect = dialect_of(self._method.spec)
        checkpoints = {reference: model.checkpoint for reference, model in opened.items()}
        self._ancestors = Ancestors(config, checkpoints, self._dialect.base, self._faults)
        check_ranges(config, self._method.spec, self._dialect, self._faults)
        self._values = ResolvedValues(self._method, self._dialect, self._faults)

    def translate(self, seed: int) -> Translation:
        self._faults.raise_as(RecipeError)
        config, models = self._config, tuple(self._ancestors.models)
        recipe = self._arranged(
            Recipe(
                self._method.spec.name,
                tuple(model.ancestor for model in self._opened),
                (),
                dtype=config.out_dtype or config.dtype,
                rounding=self._rounding(),
                seed=seed,
            )
        )
        with self._faults.at(config.where):
            recipe = replace(recipe, tokenizer=tokenizer_of(config, recipe, models))
        stacked = child_rows(Arrangement.of(recipe), models)
        with self._faults.at(config.where):
            for fault in ambiguous_filters(config, stacked.rows, models[0]):
                self._faults.add(fault)
        recipe = replace(recipe, rules=self._rules(stacked.rows))
        if self._faults:
            with self._faults.at(config.where):
                self._faults.include(stacked.faults)
        self._faults.raise_as(RecipeError)
        if config.base is not None:
            for base in base_inputs(self._ancestors.roles, self._dialect.base, config.base):
                self._values.note_base(base)
        notes = (*self._values.notes, *unused_filters(config, stacked.rows), *stacked.notes)
        return Translation(canonical(recipe, lambda name: method_of(name).spec), models, notes)

    def _arranged(self, recipe: Recipe) -> Recipe:
        """Return the recipe with its base and parents, or with its layers."""
        ancestors, layout = self._ancestors, self._ancestors.layout
        whole = ancestors.whole()
        if whole is None:
            layered = replace(recipe, layers=ancestors.layers())
            return without_needless_layers(layered, ancestors.models)
        others = [name for name in ancestors.roles if name != layout.main]
        modules = tuple(others) if layout.is_composite else ()
        return replace(recipe, base=whole[0], parents=whole[1], modules=modules)

    def _rounding(self) -> str | None:
        if not self._config.compat or self._method.spec.name not in IMITATED:
            return None
        return self._config.dtype or "own"

    def _rules(self, rows: Sequence[ChildRow]) -> tuple[Rule, ...]:
        spec, layout = self._method.spec, self._ancestors.layout
        tensors = []
        for row, asked in self._asked(rows):
            values = self._values.of(asked)
            if values is not None:
                short = canonical_values(values, spec)
                tensors.append(Valued(row.key, row.module, row.layer, short))
        filters = {entry.filter for entry in entries_of(self._config) if entry.filter}
        main = (layout.main,) if layout.is_composite else layout.modules
        return tuple(rules_of(tensors, filters, main)) if tensors else ()

    def _asked(self, rows: Sequence[ChildRow]) -> Iterator[tuple[ChildRow, AskedValue]]:
        """Give each merged row with the values that the document is asked for."""
        places = {name: [*_layers(parts)] for name, parts in self._ancestors.roles.items()}
        for row in rows:
            if row.is_copied:
                continue
            parts = self._ancestors.roles[row.module]
            if row.layer is not None:
                part, t = places[row.module][row.layer]
            elif row.is_before:
                part, t = parts[0], 0.0
            else:  # MergeKit takes the first anchor after the layers, too
                part, t = parts[-1], 0.0 if self._config.compat else 1.0
            names = [parent.name for parent in row.parents]
            levels = (part.source.values, part.module.values, self._config.values)
            parents = tuple(zip(part.parents, names, strict=True))
            yield row, AskedValue(row.key, parents, levels, t, part.source.where)


def _layers(parts: Sequence[Roles]) -> Iterator[tuple[Roles, float]]:
    """Give, for each layer of the child, its slice and its place ``t`` in it, from 0 to 1."""
    for part in parts:
        for index in range(part.num_layers):
            last = part.num_layers - 1
            yield part, index / last if last else 1.0
