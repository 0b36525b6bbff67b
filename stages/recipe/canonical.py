"""The one spelling of a recipe: what is a default, or has no effect, is left out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from stages.recipe.method_spec import MethodSpec, Parameter
from stages.recipe.recipe import ModuleLayers, NestedRecipe, Recipe, Rule, Slice, Span, Value
from stages.recipe.tokenizer import Tokenizer

SpecOf = Callable[[str], MethodSpec]


def canonical(recipe: Recipe, spec_of: SpecOf) -> Recipe:
    """Return ``recipe`` as every recipe that says the same is spelled: one merge, one id.

    Values that are a method's default go, and so do a base that no method reads, a seed that no
    method draws with, a method that a rule repeats and rules that come after one for all tensors.
    Slices that continue each other become one. ``spec_of`` gives a method's spec by its name.
    """
    rules = _reachable([_rule(rule, recipe.method, spec_of) for rule in recipe.rules])
    specs = [spec_of(name) for name in {recipe.method, *(r.method for r in rules if r.method)}]
    reads_base = any(spec.reads_base for spec in specs)
    ancestors = tuple(
        replace(a, recipe=canonical(a.recipe, spec_of)) if isinstance(a, NestedRecipe) else a
        for a in recipe.ancestors
    )
    return replace(
        recipe,
        ancestors=ancestors,
        rules=rules,
        base=recipe.base if reads_base else None,
        layers=tuple(joined(module, reads_base=reads_base) for module in recipe.layers),
        modules=tuple(sorted(set(recipe.modules))),
        tokenizer=_tokenizer(recipe.tokenizer),
        seed=recipe.seed if any(spec.is_random for spec in specs) else 0,
    )


def canonical_values(values: Mapping[str, Value], spec: MethodSpec) -> dict[str, Value]:
    """Return the values of a rule without defaults; equal numbers of all parents are one."""
    known = {parameter.name: parameter for parameter in spec.parameters}
    short = {name: _short(value) for name, value in values.items()}
    return {n: v for n, v in short.items() if n not in known or not _is_default(v, known[n])}


def _tokenizer(tokenizer: Tokenizer) -> Tokenizer:
    source = "base" if tokenizer.source == 0 else tokenizer.source
    missing = tokenizer.missing if tokenizer.pin else "frame"  # else no row is missing
    return replace(tokenizer, source=source, missing=missing)


def _rule(rule: Rule, method: str, spec_of: SpecOf) -> Rule:
    name = rule.method or method
    return replace(
        rule,
        values=canonical_values(rule.values, spec_of(name)),
        parts=tuple(sorted(set(rule.parts))),
        method=None if name == method else name,
    )


def _short(value: Value) -> Value:
    if isinstance(value, tuple | list):
        numbers = tuple(_number(number) for number in value)
        return numbers[0] if numbers and len(set(numbers)) == 1 else numbers
    return value if isinstance(value, str) else _number(value)


def _number(value: float) -> float:
    """Return a number as it is hashed; what is not one stays, and is a fault of the plan."""
    return value if isinstance(value, bool) or not isinstance(value, int) else float(value)


def _is_default(value: Value, parameter: Parameter) -> bool:
    return type(value) is not bool and value == parameter.default


def _reachable(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Return the rules up to the first that matches every tensor."""
    for index, rule in enumerate(rules):
        if (rule.layers, rule.component, rule.module, rule.parts) == (None, None, None, ()):
            return tuple(rules[: index + 1])
    return tuple(rules)


def joined(module: ModuleLayers, *, reads_base: bool = True) -> ModuleLayers:
    """Return the layers of a module with slices that continue each other made one.

    A path of hops that says layers 0 to 3 of one ancestor without gains is one slice of them. A
    slice of no layers stays where what is outside the layers comes from it: at an end.
    """
    given = [
        replace(
            part,
            base=part.base if reads_base else None,
            attention_gain=_number(part.attention_gain),
            mlp_gain=_number(part.mlp_gain),
        )
        for part in module.slices
    ]
    slices: list[Slice] = []
    for part in _without_idle(given):
        if slices and _continues(slices[-1], part):
            slices[-1] = _extended(slices[-1], part)
        else:
            slices.append(part)
    return replace(module, slices=tuple(slices), stream_scale=_number(module.stream_scale))


def _without_idle(slices: Sequence[Slice]) -> list[Slice]:
    """Return the slices without those of no layers that decide nothing, the others as [0, 0].

    The first decides what stands before the layers, the last what stands after them.
    """
    last = len(slices) - 1
    kept = [
        _emptied(part) if part.is_empty else part
        for index, part in enumerate(slices)
        if index in {0, last} or not part.is_empty
    ]
    for end, next_to_it in ((0, 1), (-1, -2)):
        is_idle = len(kept) > 1 and kept[end].is_empty
        if is_idle and _sources(kept[end]) == _sources(kept[next_to_it]):
            del kept[end]
    return kept


def _sources(part: Slice) -> tuple[bool, tuple[int, ...]]:
    return part.base is None, tuple(span.ancestor for span in part.spans)


def _emptied(part: Slice) -> Slice:
    """Return a slice of no layers in its one spelling."""
    parents = tuple(Span(span.ancestor, 0, 0) for span in part.parents)
    return Slice(parents, part.base and Span(part.base.ancestor, 0, 0))


def _continues(before: Slice, part: Slice) -> bool:
    """Return whether a slice takes the layers that come after those of the slice before it."""
    if len(before.spans) != len(part.spans) or (before.base is None) != (part.base is None):
        return False
    if before.gains != part.gains:
        return False
    pairs = zip(before.spans, part.spans, strict=True)
    return all(a.ancestor == b.ancestor and a.stop == b.first for a, b in pairs)


def _extended(part: Slice, after: Slice) -> Slice:
    def longer(span: Span, rest: Span) -> Span:
        return replace(span, stop=rest.stop)

    base = longer(part.base, after.base) if part.base and after.base else None
    return replace(part, parents=tuple(map(longer, part.parents, after.parents)), base=base)
