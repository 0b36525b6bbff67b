"""What of a recipe can be judged before its models are looked at: places, counts and names."""

import math
from collections.abc import Iterator

from stages.errors import Faults, RecipeError
from stages.merge.plan.arrangement import slice_name
from stages.merge.plan.plan import DTYPES
from stages.merge.plugins import method_of
from stages.recipe.method_spec import MethodSpec
from stages.recipe.recipe import MAX_GAIN, Recipe


def check_recipe(recipe: Recipe, num_models: int, faults: Faults) -> None:
    """Find what is wrong with a recipe, whatever its models hold."""
    count = len(recipe.ancestors)
    if count != num_models or not count:
        faults.add(f"names {count} ancestors, got {num_models} models. Give one for each.")
        return
    if recipe.dtype not in (None, *DTYPES):
        faults.add(f"dtype is {recipe.dtype!r}. Legal are {', '.join(DTYPES)}; change it.")
    if recipe.rounding not in (None, "own", *DTYPES):
        faults.add(f"rounding is {recipe.rounding!r}. Legal are own, {', '.join(DTYPES)}.")
    for what, index in _places(recipe):
        if not 0 <= index < count:
            faults.add(f"{what} names ancestor {index}. There are 0 to {count - 1}; change it.")
    if recipe.layers:
        _check_slices(recipe, faults)
        return
    for name in {recipe.method, *(rule.method for rule in recipe.rules if rule.method)}:
        with faults.at(""):
            spec = method_of(name).spec
            check_count(spec, len(recipe.parents), has_base=recipe.base is not None)


def check_count(spec: MethodSpec, num_parents: int, *, has_base: bool) -> None:
    """Check that a method has the base and as many parents as it needs.

    Raises:
        RecipeError: it has not.
    """
    if spec.needs_base and not has_base:
        raise RecipeError(f"no base. {spec.name} adds to a base; name one.")
    if not spec.merges(num_parents):
        legal = spec.legal_parents
        raise RecipeError(f"{num_parents} parents. {spec.name} merges {legal}; change that.")


def _check_slices(recipe: Recipe, faults: Faults) -> None:
    if recipe.base is not None or recipe.parents or recipe.modules:
        faults.add("layers are given, and base, parents or modules too. Keep one of the two.")
    names = [part.module for part in recipe.layers]
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.add(f"the layers of module {name} are given twice. Give them once.")
    for part in recipe.layers:
        if not part.slices:
            faults.add(f"module {part.module}: slices is empty. Give at least one slice.")
        with faults.at(f"module {part.module}"):
            _check_gain("stream_scale", part.stream_scale)
        for number, one in enumerate(part.slices):
            with faults.at(slice_name(part.module, number)):
                if not one.parents:
                    faults.add("parents is empty. Give at least one span.")
                _check_gain("attention_gain", one.attention_gain)
                _check_gain("mlp_gain", one.mlp_gain)


def _check_gain(name: str, gain: float) -> None:
    if not (math.isfinite(gain) and 1 / MAX_GAIN <= abs(gain) <= MAX_GAIN):
        is_layer = gain == 0 and name.endswith("gain")
        advice = " Leave the layer out instead." if is_layer else ""
        raise RecipeError(
            f"{name} is {gain:g}. Its size is between 1/{MAX_GAIN} and {MAX_GAIN}.{advice}"
        )


def _places(recipe: Recipe) -> Iterator[tuple[str, int]]:
    """Give every place among the ancestors that a recipe names, and which of its keys does."""
    if recipe.base is not None:
        yield "base", recipe.base
    yield from (("parents", index) for index in recipe.parents)
    for part in recipe.layers:
        for number, one in enumerate(part.slices):
            name = slice_name(part.module, number)
            yield from ((f"{name}: a span", span.ancestor) for span in one.spans)
    if isinstance(recipe.tokenizer.source, int):
        yield "tokenizer.source", recipe.tokenizer.source
    for token, row in recipe.tokenizer.tokens.items():
        if row.ancestor is not None:
            yield f"tokenizer.tokens.{token}", row.ancestor
