"""indicator: slots in the order of the paper, its start, and what is conditional."""

import math

import pytest

from tests.select.space.layers.paths import MODELS, genome_of, path_of, paths, recipe_of, text

OFF = {f"pass1__b__layer{layer:02d}": -1.0 for layer in range(3)}


def test_slots_above_zero_are_on() -> None:
    """Blocks of the models follow each other: all of a before all of b."""
    space = paths("indicator", layers=3, repeats=2)
    assert [gene.name for gene in space.genes[:4]] == [
        *("pass1.a.layer00", "pass1.a.layer01", "pass1.a.layer02", "pass1.b.layer00"),
    ]
    on = {"pass1__a__layer01": -0.5, "pass1__b__layer00": -1, "pass1__b__layer01": 0.0}
    rest = {f"pass2__{model}__layer{n:02d}": -1 for model in "ab" for n in range(3)}
    values = {**on, "pass1__b__layer02": 1, **rest, "pass2__a__layer01": 0.1}
    assert path_of(space, **values) == "a0 a2 b2 a1"


def test_the_middle_of_the_space_is_the_papers_start() -> None:
    """The first model's first pass begins two standard deviations above 0, the rest at 0."""
    space = paths("indicator", layers=3, repeats=2)
    middle = space.from_unit([0.5] * len(space.genes))
    assert list(middle) == [2.0] * 3 + [0.0] * 9
    assert text(space, space.path(middle)) == "a0 a1 a2"
    assert {gene.high - gene.low for gene in space.genes} == {6.0}
    lower = paths("indicator", layers=3, off=-1.0)
    assert list(lower.from_unit([0.5] * 6)) == [2.0] * 3 + [-1.0] * 3


def test_fixed_layers_are_the_first_models_and_have_no_slot() -> None:
    """They stand before and after all slots."""
    space = paths("indicator", layers=3, first_fixed=1, last_fixed=1)
    assert [gene.name for gene in space.genes] == ["pass1.a.layer01", "pass1.b.layer01"]
    assert path_of(space, pass1__a__layer01=-1, pass1__b__layer01=-1) == "a0 a2"
    assert path_of(space, pass1__a__layer01=-1, pass1__b__layer01=1) == "a0 b1 a2"


def test_depth_is_kept_within_its_bounds() -> None:
    """Last slots go first; skipped layers of the first model come back; a child is never empty."""
    space = paths("indicator", layers=3, max_layers=4, last_fixed=1)
    assert path_of(space, pass1__b__layer00=1, pass1__b__layer01=1) == "a0 a1 b0 a2"
    space = paths("indicator", layers=3, min_layers=2)
    off = {f"pass1__a__layer{layer:02d}": -1.0 for layer in range(3)}
    assert path_of(space, **off, **OFF) == "a0 a1"
    assert path_of(paths("indicator", layers=3), **off, **OFF) == "a0"


def test_genes_of_slots_that_are_off_are_not_part_of_the_id() -> None:
    """Many genomes are one path under one id, and gains of exactly 1 are not written."""
    space = paths("indicator", layers=3, attention_gain=[0.5, 2.0])
    off = {name.replace("__", "."): value for name, value in OFF.items()}
    genomes = [
        genome_of(
            space,
            {
                **off,
                **{f"{name}.log_attention_gain": gain for name in off},
                **{f"pass1.a.layer{n:02d}": level for n in range(3)},
            },
        )
        for gain in (-0.5, 0.0, 0.6)
        for level in (0.001, 2.0, 5.0)
    ]
    recipes = [recipe_of(space, genome) for genome in genomes]
    assert len(set(genomes)) == 9
    assert {recipe.id for recipe in recipes} == {recipes[0].id}
    assert "gain" not in str(recipes[0].to_dict())


def test_a_scale_before_a_hop_divides_the_gains_after_it() -> None:
    """The first hop's multiplies the stream; slots that are off have none."""
    space = paths("indicator", layers=3, scale=[0.25, 4.0], mlp_gain=[0.25, 4.0])
    on = {f"pass1.a.layer0{layer}": 2.0 for layer in range(3)}
    off = {f"pass1.b.layer0{layer}": -2.0 for layer in range(3)}
    scales = {0: 0.5, 1: 2.0, 2: 2.0}
    logs = {f"pass1.a.layer0{n}.log_scale": math.log(scale) for n, scale in scales.items()}
    gain = {"pass1.a.layer02.log_mlp_gain": math.log(2.0)}
    rest = {gene.name: 0.0 for gene in space.genes if ".log_" in gene.name}
    unused = {"pass1.b.layer01.log_scale": 1.0}
    genome = genome_of(space, {**rest, **on, **off, **logs, **gain})
    (layers,) = recipe_of(space, genome).layers
    assert layers.stream_scale == 0.5
    expected = [(1.0, 1.0), (0.5, 0.5), (0.25, 0.5)]  # but for the logarithms' four decimals
    for part, gains in zip(layers.slices, expected, strict=True):
        assert part.gains == pytest.approx(gains, abs=1e-3)
    same = genome_of(space, {**rest, **on, **off, **logs, **gain, **unused})
    assert recipe_of(space, same).id == recipe_of(space, genome).id
    plain = genome_of(space, {**rest, **on, **off})
    assert recipe_of(space, plain).merged == (MODELS[0],)


def test_a_matrix_has_a_scale_for_each_pair_of_neighbours() -> None:
    """It is that of the layer before and the layer that its output enters, wherever both stand."""
    space = paths("indicator", layers=2, scale=[0.25, 4.0], scales="pairs")
    names = [gene.name for gene in space.genes if ".log_" in gene.name]
    assert names == [
        *("a.layer00.a.layer01.log_scale", "a.layer00.b.layer00.log_scale"),
        *("a.layer00.b.layer01.log_scale", "a.layer01.b.layer00.log_scale"),
        *("a.layer01.b.layer01.log_scale", "b.layer00.b.layer01.log_scale"),
    ]
    logs = {name: math.log(2 + number / 4) for number, name in enumerate(names)}
    slots = {"pass1.a.layer00": 1.0, "pass1.a.layer01": -1.0, "pass1.b.layer00": -1.0}
    genome = genome_of(space, {**logs, **slots, "pass1.b.layer01": 1.0})
    path = space.path(genome)
    assert [(hop.model, hop.layer) for hop in path] == [(0, 0), (1, 1)]
    assert [hop.scale for hop in path] == pytest.approx([1.0, 2.5], abs=1e-3)
    back = space.near_path(path)
    assert back is not None
    assert space.path(back) == path
    unused = {**logs, "a.layer01.b.layer00.log_scale": 1.0}
    other = genome_of(space, {**unused, **slots, "pass1.b.layer01": 1.0})
    assert recipe_of(space, other).id == recipe_of(space, genome).id
    (layers,) = recipe_of(space, genome).layers
    assert layers.slices[1].gains == pytest.approx((0.4, 0.4), abs=1e-3)


def test_a_matrix_reaches_fixed_layers_and_later_passes() -> None:
    """With two passes any layer may follow any; fixed layers have scales where slots meet them."""
    twice = paths("indicator", layers=2, scale=[0.5, 2.0], scales="pairs", repeats=2)
    assert len([gene for gene in twice.genes if ".log_" in gene.name]) == 16
    fixed = paths(
        "interleaved", layers=3, scale=[0.5, 2.0], scales="pairs", first_fixed=1, last_fixed=1
    )
    assert [gene.name for gene in fixed.genes if ".log_" in gene.name] == [
        *(f"a.layer00.{to}.log_scale" for to in ("a.layer01", "b.layer01", "a.layer02")),
        *(f"a.layer01.{to}.log_scale" for to in ("b.layer01", "a.layer02")),
        "b.layer01.a.layer02.log_scale",
    ]
    ends = genome_of(
        fixed,
        {
            **{gene.name: 0.0 for gene in fixed.genes},
            "pass1.a.layer01": 1.0,
            "a.layer01.a.layer02.log_scale": math.log(2),
        },
    )
    assert [hop.scale for hop in fixed.path(ends)] == pytest.approx([1.0, 1.0, 2.0], abs=1e-3)


def test_scales_that_multiply_up_stay_within_what_a_gain_may_be() -> None:
    """Three scales of 64 would be a gain of 1/262144, which half precision cannot hold."""
    space = paths("indicator", layers=4, scale=[1.0, 64.0])
    genome = genome_of(space, {gene.name: gene.high for gene in space.genes})
    (layers,) = recipe_of(space, genome).layers
    gains = [part.attention_gain for part in layers.slices for _ in range(part.spans[0].length)]
    assert gains == [1.0, *[1 / 64] * 7]
