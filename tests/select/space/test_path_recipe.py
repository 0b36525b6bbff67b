"""Recipes of paths: what is in them, and what one genome says in both spaces."""

from typing import Any

import pytest

from stages.errors import ParamsError
from stages.recipe.model_size import ModelSize
from stages.recipe.recipe import NestedRecipe, Span
from stages.select.final.warm_starts import warm_starts
from stages.select.space.layers.hops import hops_of
from stages.select.space.space import Genome, Space
from tests.select.space.layers.paths import BASE, MODELS, genome_of, paths, recipe_of

SEGMENTS: dict[str, float | str] = {"segment1.model": "a", "segment2.model": "merge", "cut1": 4}


def joint(**keys: Any) -> Space:
    """Return a space of paths through a, b and their merge by task arithmetic."""
    return paths("splice", methods=("task_arithmetic",), **keys)


def test_the_base_is_the_frame_and_hops_are_slices() -> None:
    """Layers that continue each other are one slice; models off the path are not named."""
    space = paths("splice", parents=3)
    recipe = recipe_of(
        space, genome_of(space, {"cut1": 4, "segment1.model": "a", "segment2.model": "c"})
    )
    assert recipe.ancestors == (BASE, MODELS[0], MODELS[2])
    slices = recipe.layers[0].slices
    assert [part.parents for part in slices] == [(Span(1, 0, 4),), (Span(2, 4, 6),)]
    assert (recipe.method, recipe.dtype) == ("passthrough", "bfloat16")


def test_a_joint_genome_runs_through_its_own_merge() -> None:
    """The merge is a recipe among the ancestors, with the weights of the genome."""
    space = joint()
    genome = genome_of(space, {**SEGMENTS, "weight.a": 0.25, "weight.b": 1.5})
    recipe = recipe_of(space, genome)
    merge = recipe.ancestors[2]
    assert isinstance(merge, NestedRecipe)
    assert merge.recipe.rules[0].values["weight"] == (0.25, 1.5)
    assert recipe.models == (BASE, *MODELS[:2])


def test_genes_of_a_merge_that_is_off_the_path_are_not_part_of_the_id() -> None:
    """Weights change the id exactly where the path runs through the merge."""
    space = joint()

    def number_of_ids(**values: float | str) -> int:
        genomes: list[Genome] = [
            genome_of(space, {**SEGMENTS, **values, "weight.a": weight}) for weight in (0.1, 0.9)
        ]
        return len({recipe_of(space, genome).id for genome in genomes})

    assert number_of_ids() == 2
    assert number_of_ids(**{"segment2.model": "b"}) == 1


def test_a_path_that_is_all_of_the_merge_is_the_merge() -> None:
    """Its id is that of the same genes in a space without layers."""
    space = joint()
    genome = genome_of(space, {"segment1.model": "merge", "segment2.model": "merge"})
    recipe = recipe_of(space, genome)
    assert (recipe.method, recipe.layers) == ("task_arithmetic", ())
    plain = Space(
        space.params.model_copy(update={"layers": None}),
        specs={spec.name: spec for spec in space.specs},
        num_parents=2,
        num_layers=6,
        parent_names=("a", "b"),
    )
    assert recipe_of(plain, genome[:2]).id == recipe.id


def test_a_pool_of_the_merge_alone_repeats_its_layers() -> None:
    """With blocks, the path runs through one model, which is merged."""
    space = paths("blocks", methods=("linear",), pool="merge")
    genome = genome_of(space, {"block1.start": 2, "block1.length": 1, "block1.times": 2})
    recipe = recipe_of(space, genome)
    assert [ancestor.name for ancestor in recipe.ancestors] == ["base", "merge"]
    assert recipe.layers[0].slices[1].gains == (0.5, 0.5)


def test_starts_of_a_joint_space_are_whole_models() -> None:
    """A parent is its own path, a baseline is the path through the merge that it is."""
    space = joint()
    starts = warm_starts(["uniform", "parents"], space)
    assert list(starts) == ["uniform", "a", "b"]
    assert space.path(starts["uniform"]) == tuple(hops_of(2, 0, 6))
    assert space.path(starts["b"]) == tuple(hops_of(1, 0, 6))
    assert recipe_of(space, starts["b"]).merged == (MODELS[1],)
    pooled = paths("blocks", methods=("linear",), pool="merge")
    alone = warm_starts(["parents"], pooled).values()
    weights = [recipe_of(pooled, genome).rules for genome in alone]
    assert [rules[0].values["weight"] for rules in weights] == [(1.0, 0.0), (0.0, 1.0)]


def _hybrid(*branches: str) -> ModelSize:
    """Return the size of a model of six layers, whose first ones have one branch each."""
    both = frozenset({"attention", "mlp"})
    own = tuple(frozenset({branch}) for branch in branches)
    return ModelSize((1,) * 6, branches=(*own, *(both,) * (6 - len(own))))


def test_a_gain_of_a_branch_that_a_layer_lacks_is_left_out() -> None:
    """A block that runs twice is damped where there is something to damp."""
    space = paths("blocks", parents=1, size=_hybrid("attention", "mlp"))
    twice: dict[str, float | str] = {
        "block1.start": 0.0,
        "block1.length": 3.0,
        "block1.times": 2.0,
    }
    slices = recipe_of(space, genome_of(space, twice)).layers[0].slices
    gains = [(part.attention_gain, part.mlp_gain) for part in slices]
    assert gains == [(0.5, 1), (1, 0.5), (0.5, 0.5)] * 2 + [(1, 1)]


def test_gains_that_no_layer_has_leave_the_parent() -> None:
    """A path of a whole model whose gains have no effect is the model, under the model's id."""
    space = paths("splice", mlp_gain=[0.5, 2.0], size=_hybrid("attention", "mlp"))
    whole: dict[str, float | str] = {"segment1.model": "a", "segment2.model": "a", "cut1": 2.0}
    damped = {**whole, "cut1": 1.0, "segment1.log_mlp_gain": -0.5, "segment2.log_mlp_gain": 0.0}
    plain = {**whole, "segment1.log_mlp_gain": 0.0, "segment2.log_mlp_gain": 0.0}
    ids = {recipe_of(space, genome_of(space, values)).id for values in (damped, plain)}
    assert len(ids) == 1


def test_bounds_of_a_gain_that_no_layer_has_are_refused() -> None:
    """A state space without MLP has no MLP gains to search."""
    size = _hybrid(*("attention",) * 6)
    with pytest.raises(ParamsError, match="mlp_gain is given, and no layer of the models has"):
        paths("blocks", mlp_gain=[0.5, 2.0], size=size)
    assert paths("blocks", mlp_gain=[1.0, 1.0], size=size).genes
