"""Laws of every encoding: depth, fixed layers, names without order, known paths."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.errors import ParamsError
from stages.params.select_params import SelectParams
from stages.recipe.model_size import ModelSize
from stages.select.space.layers.encodings import ENCODINGS
from stages.select.space.layers.hops import hops_of
from stages.select.space.space import Space
from stages.select.strategies.coordinates import Coordinates
from stages.select.strategies.registry import strategy_of
from stages.select.strategies.strategy import Result
from tests.select.space.layers.paths import MODELS, genome_of, paths, recipe_of, text

GAINS: dict[str, Any] = {"attention_gain": [0.5, 2.0], "mlp_gain": [0.5, 2.0]}
KEYS: dict[str, dict[str, Any]] = {
    "splice": {"cuts": 2, "overlap": 2},
    "pick": {"group": 2},
    "blocks": {"blocks": 2, "times": [0, 3]},
    "indicator": {"repeats": 2},
    "interleaved": {"repeats": 2},
}
UNEQUAL = ModelSize((5, 10, 20, 10, 10, 5), rest=2)
UNIT = st.sampled_from([step / 20 for step in range(21)])


@cache
def bounded(name: str) -> Space:
    """Return a space of paths of five to eight layers, the first and the last two fixed."""
    return paths(
        name, **KEYS[name], **GAINS, first_fixed=1, last_fixed=2, min_layers=5, max_layers=8
    )


@cache
def limited(name: str) -> Space:
    """Return a space of children of 75 parameters or fewer, whose layers differ in size."""
    return paths(
        name, **KEYS[name], **GAINS, first_fixed=1, last_fixed=1, max_parameters=75, size=UNEQUAL
    )


@cache
def of_three(name: str) -> Space:
    """Return a space of paths through three models."""
    return paths(name, parents=3, **KEYS[name])


def test_every_encoding_has_its_laws_checked() -> None:
    """A new encoding is added here."""
    assert KEYS.keys() == ENCODINGS.keys()


@pytest.mark.parametrize("name", ENCODINGS)
@given(data=st.data())
def test_a_path_keeps_to_its_bounds(name: str, data: st.DataObject) -> None:
    """Depth is within its bounds, fixed layers are where they belong, and have no gains."""
    space = bounded(name)
    point = data.draw(st.lists(UNIT, min_size=len(space.genes), max_size=len(space.genes)))
    path = space.path(space.from_unit(point))
    assert 5 <= len(path) <= 8
    assert [hop.layer for hop in path][:1] == [0]
    assert [hop.layer for hop in path][-2:] == [4, 5]
    assert path[-1].model == path[-2].model
    assert {hop.gains for hop in (path[0], *path[-2:])} == {(1.0, 1.0)}


@pytest.mark.parametrize("name", ENCODINGS)
@given(data=st.data())
def test_a_child_keeps_to_its_parameters(name: str, data: st.DataObject) -> None:
    """Whatever sizes the layers have, no genome gives a child with more than may be."""
    space = limited(name)
    point = data.draw(st.lists(UNIT, min_size=len(space.genes), max_size=len(space.genes)))
    path = space.path(space.from_unit(point))
    assert 1 <= UNEQUAL.of(hop.layer for hop in path) <= 75
    assert (path[0].layer, path[-1].layer) == (0, 5)


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_bound_on_parameters_is_one_on_layers_where_all_have_one_size(name: str) -> None:
    """Eight layers of 10 and 3 parameters besides: the same children, genome by genome."""
    by_layers = paths(name, **KEYS[name], max_layers=8)
    by_parameters = paths(name, **KEYS[name], max_parameters=89, size=ModelSize((10,) * 6, rest=3))
    random = np.random.default_rng(3)
    for point in random.random((200, len(by_layers.genes))):
        genome = by_layers.from_unit(point.tolist())
        assert by_layers.path(genome) == by_parameters.path(genome)


@pytest.mark.parametrize("name", ENCODINGS)
@given(data=st.data())
def test_a_path_has_one_id_under_every_genome(name: str, data: st.DataObject) -> None:
    """Two genomes have one id exactly where they have one path."""
    space = of_three(name)
    size = len(space.genes)
    points = data.draw(
        st.lists(st.lists(UNIT, min_size=size, max_size=size), min_size=2, max_size=5)
    )
    genomes = [space.from_unit(point) for point in points]
    ids = {recipe_of(space, genome).id for genome in genomes}
    assert len(ids) == len({space.path(genome) for genome in genomes})


@pytest.mark.parametrize("name", ENCODINGS)
def test_each_parent_is_a_path_and_its_recipe_is_the_parent_alone(name: str) -> None:
    """So a start at a parent shares its evaluation with the parent in the final comparison."""
    space = paths(name, **KEYS[name], **GAINS)
    for model in range(2):
        genome = space.near_path(hops_of(model, 0, 6))
        assert genome is not None
        assert space.path(genome) == tuple(hops_of(model, 0, 6))
        recipe = recipe_of(space, genome)
        assert (recipe.layers, recipe.merged) == ((), (MODELS[model],))


@pytest.mark.parametrize("name", ENCODINGS)
def test_models_are_names_without_order(name: str) -> None:
    """A gene that chooses a model has a coordinate for each."""
    space = paths(name, parents=3, **KEYS[name])
    models = [gene for gene in space.genes if gene.name.endswith("model")]
    assert all(gene.is_category and gene.num_bins == 3 for gene in models)
    assert Coordinates(space).dimension == len(space.genes) + 2 * len(models)
    assert bool(models) == (name not in ("indicator", "interleaved"))


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_one_cut_splice_is_a_genome_where_the_encoding_has_it(name: str) -> None:
    """Model a up to layer 3, b from layer 4: all but blocks can say it."""
    space = paths(name, **KEYS[name])
    path = (*hops_of(0, 0, 4), *hops_of(1, 4, 6))
    genome = space.near_path(path)
    assert (genome is None) == (name == "blocks")
    assert genome is None or text(space, space.path(genome)) == "a0 a1 a2 a3 b4 b5"


@pytest.mark.parametrize(
    "optimizer", ["CMA", "TwoPointsDE", "TBPSA", "OnePlusOne", "genetic", "random"]
)
@pytest.mark.parametrize("name", ENCODINGS)
def test_strategies_search_paths(name: str, optimizer: str) -> None:
    """Every genome that is asked is a path, and a replay asks for the same."""
    space = paths(name, parents=3, **KEYS[name], **GAINS)
    params = SelectParams(optimizer=optimizer, population=6, generations=3)
    starts = {"a": space.near_path(hops_of(0, 0, 6)) or ()}

    def asked() -> list[tuple[float, ...]]:
        strategy = strategy_of(space, params, starts)
        genomes: list[tuple[float, ...]] = []
        for _ in range(3):
            proposals = strategy.ask()
            genomes += [proposal.genome for proposal in proposals]
            results = [Result(p.name, (-float(len(space.path(p.genome))),)) for p in proposals]
            strategy.tell(results)
        return genomes

    genomes = asked()
    assert genomes == asked()
    assert space.path(genomes[0]) == tuple(hops_of(0, 0, 6))


ONLY_WHOLE = "every path that these bounds allow is a whole model of the pool"


@pytest.mark.parametrize(
    ("encoding", "keys"),
    [
        ("blocks", {"times": [1, 1], "mlp_gain": [0.5, 2.0]}),
        ("blocks", {"times": [0, 2], "min_layers": 6, "max_layers": 6, "blocks": 2, "parents": 1}),
        ("pick", {"group": 5}),
        ("indicator", {"min_layers": 6, "repeats": 2, "parents": 1}),
        ("indicator", {"min_layers": 6, "scale": [0.5, 2.0], "parents": 1}),
        ("splice", {"first_fixed": 5}),
    ],
)
def test_few_paths_are_not_taken_for_none(encoding: str, keys: dict[str, Any]) -> None:
    """Bounds that leave some path besides whole models are legal."""
    assert paths(encoding, **keys).genes


@pytest.mark.parametrize(
    ("encoding", "keys", "said"),
    [
        (
            "pick",
            {"first_fixed": 3, "last_fixed": 3},
            "Nothing is left to search; lower them to 5",
        ),
        (
            "splice",
            {"min_layers": 7},
            "min_layers is 7, the models have 6 layers. Legal is 1 to 6",
        ),
        ("splice", {"max_layers": 5}, "max_layers is 5. Children have 6 layers or more"),
        ("indicator", {"max_layers": 2, "first_fixed": 3}, "Children have 3 layers or more"),
        (
            "splice",
            {"max_parameters": 61, "size": UNEQUAL},
            "max_parameters is 61. Children have 62 parameters or more, as the models have 62, 2 "
            "of them outside the layers; raise it to 62 or more",
        ),
        (
            "indicator",
            {"max_parameters": 11, "first_fixed": 1, "last_fixed": 1, "size": UNEQUAL},
            "raise it to 12 or more",
        ),
        (
            "interleaved",
            {"max_parameters": 40, "min_layers": 3, "size": UNEQUAL},
            "min_layers is 3. So many layers have up to 62 parameters",
        ),
        (
            "splice",
            {"mlp_gain": [1.0, 1.00001]},
            "layers.mlp_gain is [1, 1.00001]. Its logarithm has 4 decimals, to which both are one",
        ),
        ("indicator", {"scale": [3.0, 3.00001]}, "layers.scale is [3, 3.00001]"),
        ("pick", {"parents": 1}, "pick chooses between models, and the pool is a alone"),
        ("splice", {"pool": "merge"}, "layers.pool is merge, and select.space.methods is []"),
        (
            "splice",
            {"pool": "merge", "methods": ("linear",)},
            "splice chooses between models, and the pool is merge alone",
        ),
        ("blocks", {"length": 5, "first_fixed": 2}, "layers.length is 5, and 4 layers are not"),
        ("blocks", {"times": [1, 1]}, ONLY_WHOLE),
        ("blocks", {"times": [0, 1], "min_layers": 6, "blocks": 3}, ONLY_WHOLE),
        ("blocks", {"max_layers": 6, "pool": "merge", "methods": ("linear",)}, ONLY_WHOLE),
        ("pick", {"group": 6}, ONLY_WHOLE),
        ("indicator", {"min_layers": 6, "parents": 1}, ONLY_WHOLE),
        ("interleaved", {"max_layers": 6, "min_layers": 6, "parents": 1}, ONLY_WHOLE),
    ],
)
def test_what_no_path_can_meet_is_refused(encoding: str, keys: dict[str, Any], said: str) -> None:
    """The message says what was given, what is legal and what to do."""
    with pytest.raises(ParamsError) as caught:
        paths(encoding, **keys)
    assert said in str(caught.value)


def test_genes_show_by_name_with_their_logarithms() -> None:
    """The lineage holds a number for each gene: of a name the middle of its bin."""
    space = paths("splice", mlp_gain=[0.5, 2.0])
    genome = genome_of(space, {"cut1": 2, "segment1.model": "b", "segment2.log_mlp_gain": 0.25})
    named = space.named(genome)
    assert named["segment1.model"] == 1.5
    assert named["cut1"] == 2.5
    assert named["segment2.log_mlp_gain"] == 0.25
