"""What each layer of a child is made of, by its recipe: plain data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from stages.recipe.recipe import COMPONENTS, ModuleLayers, NestedRecipe, Recipe, Rule, Slice, Value

_MODULE = "default"  # a model's only module; rules of others are spelled out as exceptions


@dataclass(frozen=True, slots=True)
class LayerSource:
    """What consecutive layers of the child, ``first`` to ``last``, get from which parent.

    ``first`` is None for the tensors outside the layers: embeddings, final norm and head.
    ``component`` is None where all components of the layers share the values. A value is a number
    or a name, or a number for each parent by name.
    """

    first: int | None
    last: int | None
    component: str | None
    method: str
    values: Mapping[str, float | str | Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class PathLayer:
    """One layer of a child that is a path: the layers of the ancestors that it comes from."""

    layer: int
    sources: tuple[tuple[str, int], ...]
    attention_gain: float
    mlp_gain: float


@dataclass(frozen=True, slots=True)
class Composition:
    """What a child is made of: by layer, hop by hop where it is a path, and what is apart.

    ``exceptions`` are rules for tensors of certain names or modules, as sentences; they come
    before the rules of the layers. ``merges`` are those that a path runs through, by name; the
    stream is multiplied by ``stream_scale`` before its first layer.
    """

    layers: tuple[LayerSource, ...]
    path: tuple[PathLayer, ...]
    exceptions: tuple[str, ...]
    merges: Mapping[str, "Composition"] = field(default_factory=dict)
    stream_scale: float = 1.0


def composition(recipe: Recipe, num_layers: int) -> Composition:
    """Return what a child of ``num_layers`` layers is made of.

    A path has layers of its own, as many as it has hops; the merges that it runs through have
    ``num_layers``.
    """
    path = tuple(hops_of_recipe(recipe))
    general = [r for r in recipe.rules if not r.parts and r.module in (None, _MODULE)]
    layers: list[LayerSource] = []
    segments = [
        (segment, _assigned(general, recipe.method, segment))
        for segment in _segments(general, len(path) or num_layers)
    ]
    for (_, assigned), members in groupby(segments, key=lambda pair: (pair[0] is None, pair[1])):
        spans = [segment for segment, _ in members if segment is not None]
        first, last = (spans[0][0], spans[-1][1] - 1) if spans else (None, None)
        names = _parents(recipe, path, first)
        for component, rule in assigned:
            method, values = rule.method or recipe.method, _named(rule.values, names)
            layers.append(LayerSource(first, last, component, method, values))
    exceptions = [_sentence(rule, recipe) for rule in recipe.rules if rule not in general]
    merges = {one.name: composition(one.recipe, num_layers) for one in merges_in(recipe)}
    scale = stream_scale_of(recipe)
    return Composition(tuple(layers), path, tuple(exceptions), merges, scale)


def stream_scale_of(recipe: Recipe) -> float:
    """Return what the stream is multiplied by before the first layer of a path."""
    return next((module.stream_scale for module in _language_models(recipe)), 1.0)


def merges_in(recipe: Recipe) -> list[NestedRecipe]:
    """Return the merges that the path of a recipe runs through."""
    return [one for one in recipe.ancestors if isinstance(one, NestedRecipe)]


def layers_named(recipes: Sequence[Recipe]) -> int:
    """Return how many layers the rules of ``recipes`` speak of; 0 where they name none.

    Of a path that runs through merges these are the merges' own.
    """
    merges = [one.recipe for recipe in recipes for one in merges_in(recipe)]
    rules = [rule for recipe in (*recipes, *merges) for rule in recipe.rules]
    return max((rule.layers[1] for rule in rules if rule.layers), default=0)


def _segments(rules: Sequence[Rule], num_layers: int) -> list[tuple[int, int] | None]:
    """Return spans of layers that no rule divides, half-open, and None for outside the layers."""
    ends = {end for rule in rules if rule.layers for end in rule.layers}
    cuts = sorted({0, num_layers, *(end for end in ends if end < num_layers)})
    return [*pairwise(cuts), None]


def _assigned(
    rules: Sequence[Rule], method: str, segment: tuple[int, int] | None
) -> tuple[tuple[str | None, Rule], ...]:
    """Return the rule of each component of a segment, or one for all; () where none matches."""
    components = COMPONENTS if segment is not None else ("rest",)
    matches = [(component, _first_match(rules, segment, component)) for component in components]
    pairs = [(component, rule) for component, rule in matches if rule is not None]
    same = {(rule.method or method, str(sorted(rule.values.items()))) for _, rule in pairs}
    if len(pairs) == len(components) and len(same) == 1:
        return ((None, _without_conditions(pairs[0][1])),)
    return tuple((component, _without_conditions(rule)) for component, rule in pairs)


def _first_match(
    rules: Sequence[Rule], segment: tuple[int, int] | None, component: str
) -> Rule | None:
    for rule in rules:
        if rule.component not in (None, component):
            continue
        if rule.layers is None:
            return rule
        if segment is not None and rule.layers[0] <= segment[0] < rule.layers[1]:
            return rule
    return None


def _without_conditions(rule: Rule) -> Rule:
    """Return ``rule`` for any tensor: neighbours with equal values then compare equal."""
    return Rule(rule.values, method=rule.method)


def _parents(recipe: Recipe, path: Sequence[PathLayer], layer: int | None) -> tuple[str, ...]:
    """Return the names of the parents of a layer, in the order of a rule's values."""
    if path and layer is not None:
        return tuple(name for name, _ in path[layer].sources)
    return tuple(ancestor.name for ancestor in recipe.merged)


def _named(
    values: Mapping[str, Value], names: Sequence[str]
) -> dict[str, float | str | Mapping[str, float]]:
    return {
        key: dict(zip(names, value, strict=False)) if isinstance(value, tuple) else value
        for key, value in values.items()
    }


def hops_of_recipe(recipe: Recipe) -> Iterator[PathLayer]:
    """Yield the hops of the language model's layers; nothing where whole models are merged."""
    number = 0
    for module in _language_models(recipe):
        for part in module.slices:
            for offset in range(part.spans[0].length):
                yield _hop(number, part, offset, recipe)
                number += 1


def _language_models(recipe: Recipe) -> Sequence[ModuleLayers]:
    """Return the layers of the language model, if there are any.

    Next to a vision tower it has a name of its own; a path of a search goes through it alone.
    """
    named = [module for module in recipe.layers if module.module == _MODULE]
    return named or recipe.layers[: len(recipe.layers) == 1]


def _hop(number: int, part: Slice, offset: int, recipe: Recipe) -> PathLayer:
    sources = tuple(
        (recipe.ancestors[span.ancestor].name, span.first + offset) for span in part.parents
    )
    return PathLayer(number, sources, part.attention_gain, part.mlp_gain)


def _sentence(rule: Rule, recipe: Recipe) -> str:
    """Return what a rule says about tensors of certain names, or of another module."""
    tensors = f"tensors with {' and '.join(map(repr, rule.parts))} in their names"
    where = [
        tensors if rule.parts else "all tensors",
        *([f"of {rule.module}"] if rule.module else []),
        *([f"of layers {rule.layers[0]} to {rule.layers[1] - 1}"] if rule.layers else []),
        *([f"of component {rule.component}"] if rule.component else []),
    ]
    values = ", ".join(f"{key} {value}" for key, value in sorted(rule.values.items()))
    return f"{' '.join(where)}: {rule.method or recipe.method}" + (
        f" with {values}" if values else ""
    )
