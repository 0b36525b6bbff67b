"""Any parameter of a method can be fixed or searched: ``select.space.parameters``."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.errors import ParamsError
from stages.params.merge_params import MergeParams
from stages.params.space.space_params import Setting
from stages.recipe.method_spec import Parameter
from stages.recipe.recipe import Model, Rule
from stages.select.space.space import Space
from tests.select.specs import EPSILON, NAMES, SPECS, WEIGHT, encoded, space_of, spec_of

MODELS = (Model("p0", "a"), Model("p1", "b"))
WRITTEN = "8fa2e1dafdeddc2a109616f613e76ac5cef7ae89f28651c4534525b4c0bd0cda"
SETTINGS = {
    "epsilon": st.one_of(
        st.floats(0.0, 0.5), st.sampled_from([[0.0, 0.5], [0.05, 0.2], [0.1, 0.1]])
    ),
    "rescale": st.one_of(
        st.sampled_from(NAMES), st.permutations(NAMES), st.permutations(NAMES[1:])
    ),
    "steps": st.one_of(
        st.integers(0, 1000), st.lists(st.integers(0, 1000), min_size=2, max_size=2).map(sorted)
    ),
    "topk": st.one_of(st.just(1), st.just([0.1, 1])),
}


@st.composite
def genomes(draw: st.DrawFn) -> tuple[Space, tuple[float, ...]]:
    """A space that names some parameters of its methods, and a point of it, unrounded."""
    methods = draw(
        st.lists(st.sampled_from(["task_arithmetic", "della", "wudi", "sce"]), min_size=1)
    )
    methods = list(dict.fromkeys(methods))
    taken = {p.name for m in methods for p in SPECS[m].parameters} & SETTINGS.keys()
    named = draw(st.lists(st.sampled_from(sorted(taken)), unique=True)) if taken else []
    space = space_of(
        *methods,
        parents=draw(st.integers(1, 3)),
        layer_groups=draw(st.integers(1, 3)),
        components=draw(st.sampled_from([[], ["mlp"]])),
        parameters={name: draw(SETTINGS[name]) for name in named},
    )
    return space, tuple(draw(st.floats(gene.low, gene.high)) for gene in space.genes)


def id_of(space: Space, genome: tuple[float, ...]) -> str:
    """Return the id of the recipe of ``genome`` on two models."""
    return space.make_recipe(
        genome, base=Model("base", "c"), parents=MODELS, merge=MergeParams()
    ).id


def is_within(value: object, setting: Setting) -> bool:
    """Return whether ``value`` is the one, in the range, or among the names of ``setting``."""
    if not isinstance(setting, tuple):
        return value == setting
    if isinstance(value, str):
        return value in setting
    return isinstance(value, float) and float(setting[0]) <= value <= float(setting[1])


@given(genomes())
def test_every_genome_decodes_to_legal_values(drawn: tuple[Space, tuple[float, ...]]) -> None:
    """A rule gives every number, and each name that params.yaml lists, legal and in its range."""
    space, genome = drawn
    method, rules = space.decode(genome)
    settings = space.params.parameters
    taken = [p for p in SPECS[method].parameters if not p.choices or p.name in settings]
    for rule in rules:
        assert {p.name for p in taken} == set(rule.values)
        for parameter in taken:
            value = rule.values[parameter.name]
            assert isinstance(value, tuple) == (parameter.level == "parent")
            for one in value if isinstance(value, tuple) else (value,):
                assert parameter.is_legal(one)
                assert is_within(one, settings.get(parameter.name, one))


@given(genomes())
def test_encode_inverts_decode(drawn: tuple[Space, tuple[float, ...]]) -> None:
    """What a genome decodes to, its encoding decodes to as well; bins are met in the middle."""
    space, genome = drawn
    method, again = encoded(space, genome)
    taken = {p.name for p in SPECS[method].parameters}
    for gene, value in zip(space.genes, again, strict=True):
        if gene.is_binned and gene.parameter in taken:
            assert 0.5 == value % 1


def test_new_genes_follow_the_others_in_each_block_by_name() -> None:
    """Genes of before keep their places and names, whatever the order in params.yaml."""
    before = space_of("della", "wudi", layer_groups=2)
    for names in (["steps", "rescale", "epsilon"], ["epsilon", "rescale", "steps"]):
        legal: dict[str, Any] = {"steps": [1, 9], "rescale": ["l1", "none"], "epsilon": [0, 0.2]}
        space = space_of(
            "della", "wudi", layer_groups=2, parameters={name: legal[name] for name in names}
        )
        added = [gene for gene in space.genes if gene.parameter in legal]
        assert before.genes == tuple(gene for gene in space.genes if gene not in added)
        assert [
            "layers00-02.density.p0",
            "layers00-02.density.p1",
            "layers00-02.epsilon.p0",
            "layers00-02.epsilon.p1",
            "layers00-02.rescale",
            "layers00-02.steps",
            "layers03-05.weight.p0",
        ] == [gene.name for gene in space.genes][3:10]


def test_ids_are_those_of_before_where_nothing_is_named() -> None:
    """A recipe of della, of version 4, has the id that it has without the key ``parameters``."""
    space = space_of("della")
    assert WRITTEN == id_of(space, (0.5, 0.25, 0.75, 0.5))


def test_a_number_fixed_at_its_default_changes_no_id() -> None:
    """A number is in every recipe; that params.yaml says it makes no other recipe."""
    genome = (0.5, 0.25, 0.75, 0.5)
    fixed = space_of("della", parameters={"epsilon": 0.15})
    assert id_of(space_of("della"), genome) == id_of(fixed, genome)


def test_fixed_values_go_into_the_rules_of_methods_that_take_them() -> None:
    """Fixed values have no gene in a genome, and each method is given its own."""
    space = space_of(
        "della", "wudi", parameters={"epsilon": 0.1, "rescale": "l1", "steps": [20, 20]}
    )
    assert {"method", "weight", "density"} == {gene.parameter for gene in space.genes}
    della, wudi = (space.decode((i + 0.5, 1, 1, 1, 1))[1][0].values for i in range(2))
    assert ((0.1, 0.1), "l1") == (della["epsilon"], della["rescale"])
    assert {"weight": (1.0, 1.0), "steps": 20.0, "scale": 1.0} == wudi


def test_whole_numbers_and_names_are_bins_of_equal_length() -> None:
    """Both ends of [2, 4] are as likely as 3, and so is each of three names; edges are closed."""
    space = space_of("wudi", parents=1, parameters={"steps": [2, 4]}, weight=(1, 1))
    points = [space.from_unit([u]) for u in (0.0, 0.3, 0.34, 0.66, 0.67, 1.0)]
    steps = [space.decode(point)[1][0].values["steps"] for point in points]
    assert [2.0, 2.0, 3.0, 3.0, 4.0, 4.0] == steps
    fixed: dict[str, Any] = {"weight": (1, 1), "density": (1, 1)}
    space = space_of("della", parameters={"rescale": list(NAMES)}, **fixed)
    points = [space.from_unit([u]) for u in (0.0, 0.3, 0.34, 0.66, 0.67, 1.0)]
    decoded = [space.decode(point)[1][0].values["rescale"] for point in points]
    assert [name for name in NAMES for _ in range(2)] == decoded
    assert {"rescale": 3.0} == {k: v for k, v in space.named((3.0,)).items() if k == "rescale"}


def test_genes_of_other_methods_and_of_one_bin_are_inert() -> None:
    """Steps and epsilon do not touch task arithmetic, nor one number of steps another genome."""
    settings = {"epsilon": [0.0, 0.2], "rescale": ["l1", "none"], "steps": [5, 9]}
    space = space_of("task_arithmetic", "della", "wudi", parameters=settings)
    point = dict.fromkeys([gene.name for gene in space.genes], 0.2)

    def ids(method: float, **changes: tuple[float, float]) -> int:
        names = {name.replace("_", "."): values for name, values in changes.items()}
        genomes = [
            {**point, "method": method, **{name: values[i] for name, values in names.items()}}
            for i in range(2)
        ]
        return len({id_of(space, tuple(genome.values())) for genome in genomes})

    moved = {"epsilon_p0": (0.0, 0.1), "rescale": (0.5, 1.5), "steps": (5.5, 7.5)}
    assert [1, 2, 2] == [ids(method, **moved) for method in (0.5, 1.5, 2.5)]
    assert [2, 2, 1] == [ids(1.5, **{name: moved[name]}) for name in moved]
    assert 1 == ids(2.5, steps=(7.0, 7.9))


def test_encode_reads_means_whole_means_and_commonest_names() -> None:
    """Four layers in one block: mean epsilon, the bin of the mean steps, the commonest name."""
    values: list[dict[str, Any]] = [
        {"weight": (1.0, 1.0), "epsilon": (0.1 * i, 0.2), "rescale": name}
        for i, name in enumerate(["none", "l1", "l1", "inverse_density"])
    ]
    rules = [Rule(value, (i, i + 1)) for i, value in enumerate(values)]
    settings = {"epsilon": [0.0, 0.5], "rescale": ["none", "l1"]}
    della = space_of("della", layers=4, parameters=settings, weight=(1, 1), density=(1, 1))
    assert (0.15, 0.2, 1.5) == della.encode("della", rules)
    wudi = space_of("wudi", layers=2, parents=1, parameters={"steps": [2, 9]}, weight=(1, 1))
    steps = [Rule({"steps": number}, (i, i + 1)) for i, number in enumerate((3.0, 4.2))]
    assert (4.5,) == wudi.encode("wudi", steps)


def test_encode_takes_defaults_where_rules_do_not_say() -> None:
    """A default is the middle of its bin, held within the range; a name outside is the centre."""
    rules = [Rule({"weight": (1.0, 1.0)})]
    bounds: dict[str, Any] = {"weight": (1, 1), "density": (1, 1)}
    settings = {"epsilon": [0.2, 0.5], "rescale": ["none", "inverse_density"]}
    assert (0.2, 0.2, 1.5) == space_of("della", parameters=settings, **bounds).encode("x", rules)
    settings = {"rescale": ["none", "l1"]}
    assert (1.0,) == space_of("della", parameters=settings, **bounds).encode("x", rules)
    wudi = space_of("wudi", parameters={"steps": [2, 9]}, **bounds)
    assert (9.5,) == wudi.encode("x", rules)


ODD = {
    **SPECS,
    "fade": spec_of("fade", WEIGHT, Parameter("half", "tensor", None, 0.0, 1.0, "")),
    "per_tensor": spec_of("per_tensor", replace(EPSILON, level="tensor")),
    "by_name": spec_of("by_name", replace(EPSILON, default="a", choices=("a", "b"))),
    "narrow": spec_of("narrow", replace(EPSILON, high=0.2)),
}


@pytest.mark.parametrize(
    ("methods", "parameters", "message"),
    [
        (
            "della",
            {"epsilom": 0.1},
            "epsilom: unknown parameter, no method of select.space.methods",
        ),
        ("della", {"epsilom": 0.1}, "Legal here: epsilon, rescale. Did you mean 'epsilon'?"),
        ("linear", {"epsilon": 0.1}, "Legal here: none."),
        ("della", {"weight": 1}, "parameters.weight: weight has a key of its own. Give it as "),
        ("della", {"normalize": 1}, "select.space.normalize, and take it out here."),
        ("passthrough", {"source": 1}, "the gene source always goes over the parents."),
        ("della", {"method": 1}, "the gene method always goes over select.space.methods."),
        ("della", {"epsilon": 0.7}, "0.7 is not legal. della takes epsilon, a number in [0, 0.5]"),
        ("della", {"epsilon": [-0.1, 0.2]}, "parameters.epsilon: -0.1 is not legal."),
        ("della", {"epsilon": "l1"}, "parameters.epsilon: 'l1' is not legal."),
        (
            "sce",
            {"topk": [0, 1]},
            "parameters.topk: 0 is not legal. sce takes topk, a number in (",
        ),
        ("wudi", {"steps": [1, 2.5]}, "2.5 is not legal. wudi takes steps, a whole number from 0"),
        ("della", {"rescale": "l2"}, "'l2' is not legal. della takes rescale, none or l1 or inv"),
        ("della", {"rescale": ["l1", "nono"]}, "change it. Did you mean 'none'?"),
        ("della", {"rescale": 1}, "parameters.rescale: 1 is not legal."),
        ("dare_ties della", {"rescale": "l1"}, "'l1' is not legal. dare_ties takes rescale, mean"),
        ("della narrow", {"epsilon": [0, 0.3]}, "0.3 is not legal. narrow takes epsilon"),
        (
            "della per_tensor",
            {"epsilon": 0.1},
            "epsilon: della takes a number for each parent, per_tensor takes one number.",
        ),
        ("della by_name", {"epsilon": 0.1}, "by_name takes a name. One entry cannot be both"),
        ("della", {"epsilon": [0, 1e-5]}, "is [0.0, 1e-05], and genes are rounded to 4 deci"),
        ("della", {"epsilon": [0.05, 0.10005]}, "raise select.space.decimals (up to 8), or fix"),
        ("fade", {}, "parameters.half: missing. fade takes half, a number in [0, 1], and has no"),
    ],
)
def test_what_no_method_takes_is_refused(
    methods: str, parameters: dict[str, Any], message: str
) -> None:
    """A fault names the parameter and the method, and says what is legal."""
    with pytest.raises(ParamsError, match=re.escape(message)) as caught:
        space_of(*methods.split(), specs=ODD, parameters=parameters)
    assert str(caught.value).startswith("params.yaml: select.space.parameters.")


def test_a_parameter_without_default_can_be_searched() -> None:
    """Once it is named, a method that needs it can be in the space."""
    space = space_of("fade", specs=ODD, parents=1, parameters={"half": [0.0, 0.5]})
    assert {"weight": (1.0,), "half": 0.25} == space.decode((1.0, 0.25))[1][0].values


def test_a_range_is_as_legal_in_every_method_that_takes_it() -> None:
    """Two methods of one level may have other ranges, if both hold what params.yaml gives."""
    space = space_of("della", "narrow", specs=ODD, parameters={"epsilon": [0, 0.2]})
    assert 2 == len([gene for gene in space.genes if gene.parameter == "epsilon"])
