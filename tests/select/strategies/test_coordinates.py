"""Names without an order, and whole numbers, in the cube that optimisers search."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.params.select_params import SelectParams
from stages.select.space.space import Genome, Space
from stages.select.strategies.coordinates import Coordinates
from stages.select.strategies.nevergrad_catalogue import LEGAL
from tests.select.specs import WEIGHT, space_of, spec_of
from tests.select.steps import search_of, step

PARAMETERS = {"rescale": ["none", "l1", "inverse_density"], "steps": [10, 14]}
METHODS = [f"m{i}" for i in range(5)]


def _methods(*names: str) -> Space:
    """Return a space of methods that differ by name alone."""
    specs = {name: spec_of(name, WEIGHT) for name in METHODS}
    return space_of(*names, specs=specs)


@st.composite
def points(draw: st.DrawFn) -> tuple[Space, list[float], list[float], float | None]:
    """A space of every kind of gene, a point of its cube, one of the genes' cube, and a sigma."""
    space = space_of("wudi", "della", "passthrough", parents=3, parameters=PARAMETERS)
    numbers = st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 1)
    dimension = Coordinates(space).dimension
    return (
        space,
        draw(st.lists(numbers, min_size=dimension, max_size=dimension)),
        draw(st.lists(st.floats(0, 1), min_size=len(space.genes), max_size=len(space.genes))),
        draw(st.sampled_from([None, 0.001, 1 / 6, 1.0])),
    )


@given(points())
def test_a_moved_point_is_that_of_its_genome(
    drawn: tuple[Space, list[float], list[float], float | None],
) -> None:
    """Whatever an optimiser drew, the point that it is told of decodes to what is merged."""
    space, point, unit, sigma = drawn
    coordinates = Coordinates(space, sigma)
    genome = space.from_unit(unit)
    moved = coordinates.moved(point, genome)
    again = coordinates.genome(moved)
    for gene, before, after in zip(space.genes, genome, again, strict=True):
        if gene.is_binned:
            assert gene.value_of(before) == gene.value_of(after)
        else:
            assert before == pytest.approx(after, abs=1e-9)
    assert ((moved >= 0.0) & (moved <= 1.0)).all()
    assert (moved == coordinates.moved(moved, genome)).all()


def test_a_space_without_names_has_a_coordinate_for_each_gene() -> None:
    """Real genes are searched in the cube of the genes itself, bit for bit."""
    space = space_of("ties", parents=3)
    coordinates = Coordinates(space, 1 / 6)
    assert len(space.genes) == coordinates.dimension
    point = np.linspace(0.1, 0.9, len(space.genes))
    assert space.from_unit(point.tolist()) == coordinates.genome(point)


@pytest.mark.parametrize("sigma", [0.05, 1 / 6, 0.5])
def test_first_draws_are_as_likely_to_fall_on_each_whole_number(sigma: float) -> None:
    """Normal draws about the middle fall on each of five whole numbers a fifth of the time."""
    space = space_of("wudi", parameters={"steps": [1, 5]}, weight=(1.0, 1.0))
    coordinates = Coordinates(space, sigma)
    draws = np.random.default_rng(0).normal(0.5, sigma, 6000)
    inside = [draw for draw in draws if 0.0 <= draw <= 1.0]
    counts = Counter(space.genes[0].value_of(coordinates.genome([u])[0]) for u in inside)
    assert [1.0, 2.0, 3.0, 4.0, 5.0] == sorted(counts)
    assert all(0.17 <= count / len(inside) <= 0.23 for count in counts.values())


@pytest.mark.parametrize("optimizer", LEGAL)
def test_names_and_whole_numbers_are_spread_over_generation_0(optimizer: str) -> None:
    """Each of five names, and each of five whole numbers, is tried twice by ten candidates."""
    space = space_of("wudi", "sce", "linear", "ties", "della", parameters={"steps": [1, 5]})
    steps = [gene.parameter for gene in space.genes].index("steps")
    params = SelectParams(optimizer=optimizer, population=12, generations=3)
    starts = {str(unit): space.from_unit([unit] * len(space.genes)) for unit in (0.1, 0.5)}
    genomes = [proposal.genome for proposal in search_of(space, params, starts).ask()][2:]
    assert dict.fromkeys(space.methods, 2) == Counter(space.decode(g)[0] for g in genomes)
    values = [space.genes[steps].value_of(genome[steps]) for genome in genomes]
    assert dict.fromkeys([1.0, 2.0, 3.0, 4.0, 5.0], 2) == Counter(values)


def test_the_order_of_names_has_no_part_in_later_generations() -> None:
    """Over 40 seeds each of five names is drawn in generation 1 about as often."""
    space = _methods(*METHODS)
    counts = Counter[str]()
    for seed in range(40):
        search = search_of(space, SelectParams(population=10, generations=3, seed=seed))
        step(search, lambda genome: genome[1])
        counts.update(space.decode(proposal.genome)[0] for proposal in search.ask())
    assert all(50 <= counts[name] <= 110 for name in METHODS)


@pytest.mark.parametrize("optimizer", ["CMA", "DE", "TBPSA", "RealSpacePSO"])
@pytest.mark.parametrize("best", ["m0", "m2"])
def test_the_best_method_is_found_wherever_it_is_listed(optimizer: str, best: str) -> None:
    """One method of five is 0.3 better everywhere: each of six searches settles on it."""
    space = _methods(*METHODS)

    def fitness(genome: Genome) -> float:
        distance = sum((gene / 2 - 0.4) ** 2 for gene in genome[1:])
        return 0.3 * (space.decode(genome)[0] == best) - distance

    for seed in range(6):
        params = SelectParams(optimizer=optimizer, population=12, generations=12, seed=seed)
        search = search_of(space, params)
        for _ in range(12):
            step(search, fitness)
        centre = search.centre()
        assert centre is not None
        assert best == space.decode(centre.genome)[0]
