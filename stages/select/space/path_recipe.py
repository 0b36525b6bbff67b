"""The recipe of a path: a passthrough of its hops, with the models that it runs through."""

from collections.abc import Sequence

from stages.params.merge_params import MergeParams
from stages.recipe.recipe import (
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
        Slice((Span(index_of[hop.model], hop.layer, hop.layer + 1),), None, *hop.gains)
        for hop in path
    )
    return Recipe(
        "passthrough",
        (*frame, *(pool[model] for model in used)),
        _COPY,
        layers=(ModuleLayers(module, slices),),
        dtype=merge.dtype,
    )
