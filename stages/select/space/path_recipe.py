"""The recipe of a path: a passthrough of its hops, with the models that it runs through."""

import math
from collections.abc import Iterator, Sequence

from stages.params.merge_params import MergeParams
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
from stages.select.space.layers.hops import Hop, hops_of

_COPY = (Rule({}),)


def path_recipe(
    path: Sequence[Hop],
    pool: Sequence[Ancestor],
    base: Model | None,
    merge: MergeParams,
    *,
    module: str,
    num_layers: int,
) -> Recipe:
    """Return the recipe of ``path`` through the models of ``pool``, each hop a slice.

    The base is the frame: config, tokenizer, code and what is copied are its own, as those of
    every candidate are. Embeddings are the first hop's model's, final norm and head the last's.
    Only models that the path runs through are ancestors. A path that is all of one model, in
    order and without gains, is that model: the recipe of the parent alone, or the merge itself.
    """
    used = sorted({hop.model for hop in path})
    if list(path) == hops_of(used[0], 0, num_layers):
        only = pool[used[0]]
        if isinstance(only, NestedRecipe):
            return only.recipe
        return Recipe.of_models("passthrough", (only,), _COPY, base, dtype=merge.dtype)
    frame = [] if base is None else [base]
    index_of = {model: len(frame) + index for index, model in enumerate(used)}
    slices = tuple(
        Slice((Span(index_of[hop.model], hop.layer, hop.layer + 1),), None, *gains)
        for hop, gains in zip(path, _gains(path), strict=True)
    )
    return Recipe(
        "passthrough",
        (*frame, *(pool[model] for model in used)),
        _COPY,
        layers=(ModuleLayers(module, slices, path[0].scale),),
        dtype=merge.dtype,
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
