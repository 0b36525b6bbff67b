"""Selection, crossover, mutation and archives, held to what their docstrings say."""

from collections import Counter

import numpy as np
import pytest

from stages.errors import LineageError
from stages.select.strategies.populations.crossover import mixed, one_point, split_point, uniform
from stages.select.strategies.populations.grid_archive import GridArchive
from stages.select.strategies.populations.mate_selection import (
    by_lot,
    ranked_members,
    tournament,
    two_of,
)
from stages.select.strategies.populations.mutation import mutated
from stages.select.strategies.populations.population_member import PopulationMember, names_of
from stages.select.strategies.strategy import Proposal, Result
from tests.select.specs import space_of
from tests.select.steps import evaluation_of

PARAMETERS = {"rescale": ["none", "l1", "inverse_density"], "steps": [10, 14]}
SPACE = space_of("wudi", "della", "passthrough", parents=3, parameters=PARAMETERS)


def member(name: str, *scores: float, rung: int = 0) -> PopulationMember:
    """Return a member with these objectives."""
    genome = tuple(SPACE.from_unit([0.5] * len(SPACE.genes)))
    return PopulationMember(
        Proposal(name, genome), Result(name, scores, evaluation_of(scores), rung)
    )


@pytest.fixture
def random() -> np.random.Generator:
    """Return a seeded generator."""
    return np.random.default_rng(3)


def test_ranks_are_those_of_a_generation() -> None:
    """Who went further in its race comes first, then the higher fitness, then the earlier."""
    members = [member("a", 0.9), member("b", 0.1, rung=1), member("c", 0.9), member("d", 0.95)]
    assert ["b", "d", "a", "c"] == [m.name for m in ranked_members(members)]


def test_mates_differ_where_there_are_two(random: np.random.Generator) -> None:
    """Two mates are two members, each pair as likely; a lone member is its own mate."""
    members = [member(name, 0.5) for name in "abc"]
    pairs = Counter(names_of(*two_of(random, members)) for _ in range(600))
    assert {("a", "b"), ("a", "c"), ("b", "c")} == set(pairs)
    assert all(150 <= count <= 250 for count in pairs.values())
    assert ("a",) == names_of(*two_of(random, members[:1]))


def test_tournaments_prefer_the_better(random: np.random.Generator) -> None:
    """Of three, the best wins 5 of 9 tournaments of two, the worst 1 of 9."""
    ranking = [member(name, 0.5) for name in "abc"]
    wins = Counter(tournament(random, ranking).name for _ in range(1800))
    for name, expected in zip("abc", (1000, 600, 200), strict=True):
        assert expected == pytest.approx(wins[name], abs=100)


def test_lots_follow_the_shares(random: np.random.Generator) -> None:
    """A share of 0 is never drawn; with no share above 0 all are as likely."""
    members = [member(name, 0.5) for name in "abc"]
    drawn = Counter(by_lot(random, members, [3.0, 0.0, 1.0]).name for _ in range(400))
    assert drawn.keys() == {"a", "c"}
    assert 300 == pytest.approx(drawn["a"], abs=40)
    drawn = Counter(by_lot(random, members, [0.0] * 3).name for _ in range(300))
    assert all(60 <= drawn[name] <= 140 for name in "abc")


def test_crossovers_take_genes_of_both(random: np.random.Generator) -> None:
    """A splice is a beginning of one and an end of the other; uniform takes each gene from either.

    Every cut that leaves both a gene is drawn.
    """
    first, second = (1.0,) * 6, (2.0,) * 6
    splices = {one_point(random, first, second) for _ in range(200)}
    assert splices == {first[:cut] + second[cut:] for cut in range(1, 6)}
    counts = [uniform(random, first, second).count(1.0) for _ in range(200)]
    assert 3.0 == pytest.approx(float(np.mean(counts)), abs=0.3)
    assert (2.0,) == one_point(random, (1.0,), (2.0,))


def test_mixing_lies_between_and_names_are_whole(random: np.random.Generator) -> None:
    """A number is interpolated; a name is that of the larger share."""
    low, high = (SPACE.from_unit([unit] * len(SPACE.genes)) for unit in (0.1, 0.9))
    for share in (0.25, 0.75):
        child = mixed(SPACE, low, high, [share] * len(low))
        for gene, a, b, number in zip(SPACE.genes, low, high, child, strict=True):
            expected = (b if share > 0.5 else a) if gene.is_category else a + share * (b - a)
            assert expected == pytest.approx(number, abs=1e-4)
    child = split_point(random, SPACE, low, high)
    assert all(min(a, b) <= n <= max(a, b) for a, b, n in zip(low, high, child, strict=True))


def test_mutation_changes_each_gene_by_its_kind(random: np.random.Generator) -> None:
    """Every gene moves; bounds are reached; names go to any other name as often."""
    genome = SPACE.from_unit([0.1] * len(SPACE.genes))
    names: Counter[float | str] = Counter()
    for _ in range(300):
        child = mutated(random, SPACE, genome, 0.3, 1.0)
        assert SPACE.round(child) == child
        for gene, before, after in zip(SPACE.genes, genome, child, strict=True):
            if gene.is_category:
                assert gene.value_of(before) != gene.value_of(after)
        names[SPACE.genes[0].value_of(child[0])] += 1
    assert {"della", "passthrough"} == set(names)
    assert all(110 <= count <= 190 for count in names.values())
    weights = {mutated(random, SPACE, genome, 0.3, 1.0)[1] for _ in range(100)}
    assert 0.0 in weights
    assert genome == mutated(random, SPACE, genome, 0.3, 0.0)


def test_cells_keep_their_best() -> None:
    """A better one takes the cell, an equal does not; what lies outside is in the outer cell."""
    archive = GridArchive([(0.0, 1.0)], 2)
    for name, quality, behaviour in (
        ("a", 0.5, 0.1),
        ("b", 0.5, 0.2),
        ("c", 0.6, 0.49),
        ("d", 0.1, 0.5),
        ("e", 0.2, 7.0),
        ("f", 0.9, -1.0),
    ):
        archive.add(member(name, quality), quality, [behaviour])
    assert ["f", "e"] == [m.name for m in archive.members]


def test_a_fitness_without_its_scores_is_an_error() -> None:
    """Strategies that go by items need them, and say so."""
    bare = PopulationMember(Proposal("g00-c01", ()), Result("g00-c01", (0.5,)))
    with pytest.raises(LineageError, match="g00-c01: its fitness was told without"):
        _ = bare.evaluation
