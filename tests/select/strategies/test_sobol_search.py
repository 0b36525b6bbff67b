"""The Sobol sequence goes on from generation to generation, and fills the space evenly."""

from collections import Counter

from stages.select.strategies.strategy import Result
from tests.select.specs import space_of
from tests.select.steps import params_of, search_of


def test_points_of_all_generations_are_one_sequence() -> None:
    """Of 64 points, in four generations, each eighth of every weight's range gets eight."""
    space = space_of("linear", parents=3)
    search = search_of(space, params_of("Sobol", population=16, generations=4))
    genomes = []
    for _ in range(4):
        asked = search.ask()
        genomes += [proposal.genome for proposal in asked]
        search.tell([Result(proposal.name, (0.5,), None) for proposal in asked])

    assert 64 == len(set(genomes))
    for values, gene in zip(zip(*genomes, strict=True), space.genes, strict=True):
        width = (gene.high - gene.low) / 8
        assert {8} == set(Counter(int((v - gene.low) / width) for v in values).values())
