"""The recipe of a path: a passthrough of its hops, with the models that it runs through."""

import math
from collections.abc import Iterator, Sequence

from stages.params.merge_params import MergeParams
from stages.recipe.model_size import ModelSize
from stages.recipe.recipe import (
    MAX_GAIN,
    Ancestor,
    Model,
    ModuleLayers,
    NestedRecipe,
    Recipe,
    Rule,
    Slice,
    Span,
)
from stages.select.space.layers.hops import Hop

_COPY = (Rule({}),)


def path_recipe(
    path: Sequence[Hop],
    pool: Sequence[Ancestor],
    base: Model | None,
    merge: MergeParams,
    *,
    module: str,
    size: ModelSize,
) -> Recipe:
    """Return the recipe of ``path`` through the models of ``pool``, each hop a slice.

    The base is the frame: config, tokenizer, code and what is copied are its own, as those of
    every candidate are. Embeddings are the first hop's model's, final norm and head the last's.
    Only models that the path runs through are ancestors. A gain of a branch that a layer of
    ``size`` does not have is left out. A path that is all of one model, in order and without
    gains, is that model: the recipe of the parent alone, or the merge itself.
    """
    used = sorted({hop.model for hop in path})
    gains = [_of_branches(own, hop, size) for own, hop in zip(_gains(path), path, strict=True)]
    is_plain = path[0].scale == 1 and all(own == (1.0, 1.0) for own in gains)
    places = [(hop.model, hop.layer) for hop in path]
    if is_plain and places == [(used[0], layer) for layer in range(len(size.layers))]:
        only = pool[used[0]]
        if isinstance(only, NestedRecipe):
            return only.recipe
        return Recipe.of_models("passthrough", (only,), _COPY, base, dtype=merge.dtype)
    frame = [] if base is None else [base]
    index_of = {model: len(frame) + index for index, model in enumerate(used)}
    slices = tuple(
        Slice((Span(index_of[hop.model], hop.layer, hop.layer + 1),), None, *own)
        for hop, own in zip(path, gains, strict=True)
    )
    return Recipe(
        "passthrough",
        (*frame, *(pool[model] for model in used)),
        _COPY,
        layers=(ModuleLayers(module, slices, path[0].scale),),
        dtype=merge.dtype,
    )


def _of_branches(gains: tuple[float, float], hop: Hop, size: ModelSize) -> tuple[float, float]:
    attention, mlp = gains
    return (
        attention if size.has("attention", hop.layer) else 1.0,
        mlp if size.has("mlp", hop.layer) else 1.0,
    )


def _gains(path: Sequence[Hop]) -> Iterator[tuple[float, float]]:
    """Yield the gains of each hop, with the scales in them.

    A stream that is multiplied by c before a norm passes it as it is, and what a branch adds to it
    is 1 / c of what it was: a scale before a hop divides the gains of this and all later hops. The
    first hop's multiplies the stream itself (``stream_scale``).
    """
    total = 1.0
    for number, hop in enumerate(path):
        total *= hop.scale if number else 1.0
        first, second = (
            math.copysign(min(max(abs(gain / total), 1 / MAX_GAIN), MAX_GAIN), gain)
            for gain in hop.gains
        )
        yield first, second
