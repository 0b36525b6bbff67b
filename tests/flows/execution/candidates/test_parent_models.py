"""Plans on the downloaded parents, of recipes whose ancestors are recipes."""

import gc
from dataclasses import replace
from pathlib import Path

import pytest

from flows.execution.candidates.parent_models import NUM_KEPT, ParentModels
from flows.execution.executor import WorkerSettings
from stages.checkpoint.reader import Checkpoint
from stages.download.manifest import Parents
from stages.errors import CheckpointError, RecipeError
from stages.merge.outputs.model_card import card
from stages.merge.outputs.model_folder import hash_weights, write_model
from stages.merge.plan.planner import plan
from stages.recipe.recipe import Model, ModuleLayers, NestedRecipe, Recipe, Rule, Slice, Span
from tests.flows.execution.conftest import recipe_on

ANCESTORS = Path(".scratch")


def path_through(settings: WorkerSettings, inner: NestedRecipe | Model) -> Recipe:
    """Return a path through a parent and ``inner``, one layer of which is run twice, damped."""
    base, parents = Parents.read(settings.parents).base, Parents.read(settings.parents).models
    slices = (
        Slice((Span(1, 0, 4),)),
        Slice((Span(2, 3, 5),), attention_gain=0.5, mlp_gain=0.5),
        Slice((Span(2, 4, 6),)),
    )
    return Recipe(
        "passthrough",
        (base, parents[0], inner),
        (Rule({}),),
        layers=(ModuleLayers("default", slices),),
        dtype="bfloat16",
    )


def test_the_card_of_a_merge_of_a_merge_names_the_models_at_its_end(
    settings: WorkerSettings,
) -> None:
    """Models without a licence are those that somebody trained, each once; no merge is one."""
    models = ParentModels(Parents.read(settings.parents))
    first = recipe_on(settings)
    names = [ancestor.name for ancestor in first.ancestors]
    text = card(models.plan(path_through(settings, NestedRecipe("merge", first))), "ff")
    assert f"No licence is known of {', '.join(names)}: no card names one." in text
    assert f"), a merge of {', '.join(names)}" in text


def folders() -> list[Path]:
    """Return the folders of merged ancestors that are there."""
    return [path.parent for path in ANCESTORS.glob("*/*/model.safetensors")]


def test_a_path_runs_through_a_merge_that_was_never_written(settings: WorkerSettings) -> None:
    """A merge of a merge gives the bytes of merges in sequence, and no ancestor has weights."""
    models = ParentModels(Parents.read(settings.parents))
    first = recipe_on(settings)
    digest = write_model(models.plan(first), Path("first"), shard_bytes=10**9)
    nested = path_through(settings, NestedRecipe("merge", first))
    written = path_through(settings, Model("merge", digest))
    opened = {model.hash: Checkpoint(model.folder) for model in Parents.read(settings.parents)}
    opened[digest] = Checkpoint(Path("first"))
    inner = plan(written, [opened[model.id] for model in written.ancestors])
    assert hash_weights(models.plan(nested)) == hash_weights(inner)

    twice = Recipe.of_models(
        "linear",
        (NestedRecipe("path", nested), nested.ancestors[2]),
        (Rule({"weight": (0.5, 0.5), "normalize": 0.0}),),
        dtype="float32",
    )
    with pytest.raises(RecipeError, match="numbers of layers differ"):
        models.plan(twice)  # eight layers and six: depth is checked at every level
    shorter = replace(
        nested,
        layers=(ModuleLayers("default", (Slice((Span(1, 0, 3),)), Slice((Span(2, 3, 6),)))),),
    )
    deep = replace(twice, ancestors=(NestedRecipe("path", shorter), nested.ancestors[2]))
    path_digest = write_model(models.plan(shorter), Path("second"), shard_bytes=10**9)
    flat = replace(deep, ancestors=(Model("path", path_digest), Model("merge", digest)))
    sequence = plan(flat, [Checkpoint(Path("second")), Checkpoint(Path("first"))])
    assert hash_weights(models.plan(deep)) == hash_weights(sequence)


def test_skeletons_are_kept_for_recipes_that_share_them(settings: WorkerSettings) -> None:
    """Some merged ancestors stay, sparse on the disk; all go with the object that made them."""
    models = ParentModels(Parents.read(settings.parents))
    for number in range(NUM_KEPT + 3):
        inner = NestedRecipe("merge", recipe_on(settings, weight=number / 10))
        used = models.plan(path_through(settings, inner)).models[2].folder
        again = models.plan(path_through(settings, inner)).models[2].folder
        assert used == again
    assert len(folders()) == NUM_KEPT + 1
    del models
    gc.collect()
    assert folders() == []


def test_weights_that_are_not_among_the_parents_are_named(settings: WorkerSettings) -> None:
    """A nested recipe on other weights says which model is meant and how to fetch it."""
    stranger = recipe_on(settings)
    stranger = replace(stranger, ancestors=(*stranger.ancestors[:2], Model("order", "0" * 64)))
    models = ParentModels(Parents.read(settings.parents))
    with pytest.raises(CheckpointError, match=r"model order: weights 0000.*base, math, order"):
        models.plan(path_through(settings, NestedRecipe("merge", stranger)))
