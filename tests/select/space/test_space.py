"""The space, held to its laws: every genome is a valid recipe, and encode is decode's inverse."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.errors import ParamsError, RecipeError
from stages.merge.arithmetic.parameters import SHARE
from stages.params.merge_params import MergeParams
from stages.recipe.recipe import COMPONENTS, Model, Recipe, Rule
from stages.select.space.space import Space
from tests.select.specs import SPECS, encoded, space_of, spec_of

SHARING = {"shares": spec_of("shares", SHARE)}

METHODS = [m for m in SPECS if m != "slerp"]


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Any legal space: methods, parents, groups, components, fixed bounds, decimals."""
    parents = draw(st.integers(1, 4))
    legal = [*METHODS, "slerp"] if parents == 2 else METHODS
    layers = draw(st.integers(1, 9))
    decimals = draw(st.integers(1, 8))
    weight = sorted(round(draw(st.floats(-2, 2)), decimals) for _ in range(2))
    return space_of(
        *draw(st.lists(st.sampled_from(legal), min_size=1, max_size=4, unique=True)),
        parents=parents,
        layers=layers,
        layer_groups=draw(st.integers(1, layers)),
        components=draw(st.lists(st.sampled_from(COMPONENTS), unique=True)),
        weight=weight,
        scale=draw(st.sampled_from([(1.0, 1.0), (0.5, 2.0)])),
        normalize=draw(st.booleans()),
        decimals=decimals,
    )


@st.composite
def genomes(draw: st.DrawFn) -> tuple[Space, tuple[float, ...]]:
    """A space and a point of it, unrounded."""
    space = draw(spaces())
    return space, tuple(draw(st.floats(gene.low, gene.high)) for gene in space.genes)


def _first(rules: Sequence[Rule], layer: int | None, component: str) -> Rule:
    """Return the first rule that matches, as a merge would find it."""
    return next(
        rule
        for rule in rules
        if rule.component in (None, component)
        and (rule.layers is None or (layer is not None and layer in range(*rule.layers)))
    )


@given(genomes())
def test_every_genome_decodes_to_a_valid_recipe(drawn: tuple[Space, tuple[float, ...]]) -> None:
    """Each rule gives every number that the method takes, in range, per parent or per tensor."""
    space, genome = drawn
    method, rules = space.decode(genome)
    spec = SPECS[method]
    for rule in rules:
        decoded = [p for p in spec.parameters if not p.choices]
        assert {p.name for p in decoded} == set(rule.values)
        for parameter in decoded:
            value = rule.values[parameter.name]
            assert isinstance(value, tuple) == (parameter.level == "parent")
            numbers = value if isinstance(value, tuple) else (value,)
            assert len(numbers) in (1, space.num_parents)
            assert all(parameter.is_legal(number) for number in numbers)
        if "source" in rule.values:
            assert rule.values["source"] in range(space.num_parents)


@given(genomes())
def test_every_tensor_is_matched_by_the_block_that_covers_it(
    drawn: tuple[Space, tuple[float, ...]],
) -> None:
    """The first rule that matches a cell is its block's, and every cell has one block."""
    space, genome = drawn
    _, rules = space.decode(genome)
    cells = [cell for block in space.blocks for cell in block.cells]
    assert len(set(cells)) == len(cells)
    assert (None, "rest") in cells
    for block, rule in zip(space.blocks, rules, strict=True):
        for cell in block.cells:
            assert _first(rules, *cell) is rule


@given(genomes())
def test_encode_inverts_decode(drawn: tuple[Space, tuple[float, ...]]) -> None:
    """What a genome decodes to, its encoding decodes to as well; active genes are kept."""
    space, genome = drawn
    method, again = encoded(space, genome)
    taken = {p.name for p in SPECS[method].parameters} - {"source"}
    for gene, before, after in zip(space.genes, space.round(genome), again, strict=True):
        if gene.parameter in taken:
            # the mean over a block's cells may differ from the value in its last bit
            assert before == pytest.approx(after, abs=1e-12)


@given(genomes())
def test_rounding_is_idempotent_and_stays_in_bounds(
    drawn: tuple[Space, tuple[float, ...]],
) -> None:
    """A rounded genome is its own rounding, in bounds, never -0.0, and back from the unit cube."""
    space, genome = drawn
    rounded = space.round(genome)
    assert rounded == space.round(rounded)
    assert all(g.low <= v <= g.high for g, v in zip(space.genes, rounded, strict=True))
    assert not any(str(v) == "-0.0" for v in rounded)
    assert rounded == pytest.approx(space.from_unit(space.to_unit(rounded)), abs=1e-9)


def test_space_lays_out_genes_in_groups_and_components() -> None:
    """Two groups of two components and what is outside the layers: five blocks of two weights."""
    space = space_of("task_arithmetic", layer_groups=2, components=["attention"])
    assert [g.name for g in space.genes if g.parent == 0] == [
        "layers00-02.attention.weight.p0",
        "layers00-02.other.weight.p0",
        "layers03-05.attention.weight.p0",
        "layers03-05.other.weight.p0",
        "outside.weight.p0",
    ]
    assert [g.name for g in space.fixed][:1] == ["layers00-02.attention.scale"]


def test_one_group_is_the_whole_model() -> None:
    """Without groups and components a single rule matches all, embeddings included."""
    _, rules = space_of("linear").decode((0.5, 0.25))
    assert rules == (Rule({"weight": (0.5, 0.25), "normalize": 0.0}),)


def test_inert_genes_do_not_change_the_recipe() -> None:
    """A density is inert while the method is task arithmetic: one recipe, one id."""
    space = space_of("task_arithmetic", "ties")
    models = (Model("p0", "a"), Model("p1", "b"))
    ids = {
        space.make_recipe(
            (0.3, 0.5, 0.5, density, 0.9),
            base=Model("base", "c"),
            parents=models,
            merge=MergeParams(),
        ).id
        for density in (0.2, 0.7)
    }
    assert 1 == len(ids)


def test_method_and_source_are_binned() -> None:
    """The method gene's last bin is closed, and source is a whole number of a parent."""
    space = space_of("passthrough", "linear", parents=3)
    assert "method" == next(g.name for g in space.genes)
    genome = dict.fromkeys([g.name for g in space.genes], 0.0)
    methods = [space.decode([v, *list(genome.values())[1:]])[0] for v in (0, 0.9999, 1.0, 2.0)]
    assert ["passthrough", "passthrough", "linear", "linear"] == methods
    source = [g.parameter for g in space.genes].index("source")
    point = [0.0] * len(space.genes)
    point[source] = 3.0
    assert 2.0 == space.decode(point)[1][0].values["source"]


def test_encode_translates_between_methods() -> None:
    """The uniform average becomes weights of one half, t of one half, or no task vector twice."""
    uniform = (Rule({"weight": (0.5, 0.5), "normalize": 1.0}),)
    ties = (Rule({"weight": (1.0, 1.0), "density": (0.2, 0.2), "scale": 1.0, "normalize": 1.0}),)
    second = (Rule({"weight": (0.0, 1.0)}),)
    assert (0.5, 0.5) == space_of("task_arithmetic").encode("linear", uniform)
    assert (0.5,) == space_of("slerp").encode("linear", uniform)
    assert (1.0,) == space_of("slerp").encode("linear", second)
    assert (1.5,) == space_of("passthrough").encode("linear", second)
    assert (0.5, 0.5) == space_of("task_arithmetic").encode("ties", ties)
    assert (0.0, 1.0, 1.0, 1.0) == space_of("ties").encode("linear", second)


def test_encode_averages_over_a_block_and_clips() -> None:
    """A rule per layer becomes the mean of its block, held within the bounds."""
    rules = [Rule({"weight": (float(i), 9.0)}, (i, i + 1)) for i in range(4)]
    space = space_of("linear", layers=4, layer_groups=2)
    assert (0.5, 2.0, 2.0, 2.0) == space.encode("linear", rules)[:4]


@pytest.mark.parametrize(
    ("methods", "params", "message"),
    [
        (["tie"], {}, "Did you mean 'ties'"),
        (["ties", "ties"], {}, "List each method once"),
        (["slerp"], {"parents": 3}, "slerp merges 2 parents, download.parents lists 3"),
        (["linear"], {"layer_groups": 9}, "the models have 6 layers"),
        (["linear"], {"components": ["mlp", "mlp"]}, "List each component once"),
        (["shares"], {"weight": (-1.0, 1.0), "specs": SHARING}, "narrow the bounds"),
        (
            ["linear"],
            {"weight": (0.0, 0.0004), "decimals": 3},
            r"select.space.weight is \[0.0, 0.0004\], and genes are rounded to 3 decimals. Give ",
        ),
        (["ties"], {"density": (0.00005, 1.0)}, r"density is \[5e-05, 1.0\], .* fix it at one"),
        (["slerp"], {"t": (0.25, 0.75), "decimals": 1}, r"raise select.space.decimals \(up to"),
        (["ties"], {"scale": (0.5, 1.00001)}, "select.space.scale is "),
    ],
)
def test_space_refuses_what_cannot_be_merged(
    methods: list[str], params: dict[str, Any], message: str
) -> None:
    """An illegal space is refused before anything is merged, with what is legal."""
    with pytest.raises(ParamsError, match=message):
        space_of(*methods, **params)


def test_bounds_of_no_gene_may_have_any_decimals() -> None:
    """A fixed value is merged as it is given, and bounds that no method takes are not read."""
    space = space_of("linear", weight=(1 / 3, 1 / 3), t=(0.0, 1 / 3))
    assert (1 / 3, 1 / 3) == space.decode(())[1][0].values["weight"]


@pytest.mark.parametrize("genome", [(0.5,), (0.5, float("nan"))])
def test_decode_refuses_a_genome_of_another_space(genome: tuple[float, ...]) -> None:
    """A genome of the wrong length or with a gene that is not a number is refused."""
    with pytest.raises(RecipeError, match="gene"):
        space_of("linear").decode(genome)


def test_make_recipe_refuses_other_parents() -> None:
    """The parents must be as many as the space was made for."""
    with pytest.raises(RecipeError, match="got 1 parents"):
        space_of("linear").make_recipe(
            (0.5, 0.5),
            base=None,
            parents=(Model("p0", "a"),),
            merge=MergeParams(),
        )


def test_make_recipe_takes_the_modules_of_params() -> None:
    """What is merged besides the language model is told by merge.modules."""
    merge = MergeParams(modules=["vision_tower"])
    parents = (Model("p0", "a"), Model("p1", "b"))
    recipe = space_of("linear", parents=2).make_recipe(
        (0.5, 0.5), base=None, parents=parents, merge=merge
    )
    assert ("vision_tower",) == recipe.modules
    assert recipe == Recipe.from_dict(recipe.to_dict())
