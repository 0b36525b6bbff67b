"""Layers that need not be named: slices that put whole models together as they are."""

from collections.abc import Sequence
from dataclasses import replace

from stages.checkpoint.reader import Checkpoint
from stages.merge.architecture.layout import layout_of
from stages.merge.architecture.tensor_matching import known
from stages.merge.plan.renumbered_layers import Modules
from stages.recipe.canonical import joined
from stages.recipe.recipe import ModuleLayers, Recipe


def without_needless_layers(recipe: Recipe, models: Sequence[Checkpoint]) -> Recipe:
    """Return ``recipe`` without ``layers`` where they are all layers of whole models.

    Every module is then one slice that holds all layers of the same ancestors, and of the frame.
    """
    parts = [joined(part) for part in recipe.layers]
    named = {s.ancestor for part in parts for one in part.slices for s in one.spans}
    if not named <= {*range(len(models))}:
        return recipe  # whose plan says so
    frame = layout_of(models[0])
    merged = [part.module for part in parts]
    needed = {frame.main} if frame.is_composite else {*frame.modules}
    slices = [part.slices[0] for part in parts if len(part.slices) == 1]
    sources = {(one.base is None, *(span.ancestor for span in one.spans)) for one in slices}
    if not needed <= {*merged} <= {*frame.modules} or len(sources) != 1:
        return recipe
    if any(one.gains != (1, 1) for one in slices):
        return recipe
    if len(slices) < len(parts) or not all(_is_whole(part, recipe, models) for part in parts):
        return recipe
    is_baseless, *places = sources.pop()
    return replace(
        recipe,
        layers=(),
        base=None if is_baseless else places.pop(0),
        parents=tuple(places),
        modules=tuple(n for n in merged if n != frame.main) if frame.is_composite else (),
    )


def _is_whole(part: ModuleLayers, recipe: Recipe, models: Sequence[Checkpoint]) -> bool:
    """Return whether a module's only slice holds all layers of its ancestors and of the frame."""
    one = part.slices[0]
    frame = known(models[0], recipe.ancestors[0].name)
    depths = {
        Modules(models[index], "", frame, [part.module]).layers(part.module).num_layers
        for index in {0, *(span.ancestor for span in one.spans)}
    }
    return depths == {span.stop for span in one.spans} and {s.first for s in one.spans} == {0}
