"""The table of strategies, and laws that each of them keeps."""

import pytest

from stages.errors import ParamsError
from stages.params.select_params import RacingParams, SelectParams
from stages.select.space.space import Genome
from stages.select.strategies.registry import STRATEGIES, check_strategy
from tests.select.replay import run
from tests.select.specs import space_of
from tests.select.steps import params_of, search_of, step, tell

# Latin hypercubes and Hammersley's sequence divide the cube by the number of points in all.
BY_BUDGET = ("LHSSearch", "ScrHammersleySearch")


@pytest.mark.parametrize("optimizer", STRATEGIES)
def test_more_generations_keep_the_first_ones(optimizer: str) -> None:
    """An extended search begins as the shorter one, but for designs of a whole budget."""
    short, long = run(optimizer, 3), run(optimizer, 7)
    assert (short == long[:3]) == (optimizer not in BY_BUDGET)


@pytest.mark.parametrize("optimizer", STRATEGIES)
def test_elites_are_the_fitter_half_best_first(optimizer: str) -> None:
    """After each tell a strategy names the fitter half of the generation."""
    search = search_of(space_of("linear"), params_of(optimizer, population=6))
    assert () == search.elites()
    for _ in range(2):
        proposals = search.ask()
        tell(search, proposals, [0.1, 0.5, None, 0.3, 0.4, 0.2])
        assert [proposals[i] for i in (1, 4, 3)] == list(search.elites())


def test_random_search_draws_uniformly() -> None:
    """Every fifth of a gene's range has a fifth of the draws, and results change none of them."""

    def genomes(sign: float) -> list[Genome]:
        params = SelectParams(optimizer="random", population=50, generations=20)
        search = search_of(space_of("linear"), params)
        return [genome for _ in range(20) for genome in step(search, lambda g: sign * g[0])]

    drawn = genomes(1.0)
    fifths = [sum(int(genome[0] / 0.4) == part for genome in drawn) for part in range(5)]
    assert all(150 <= count <= 250 for count in fifths)
    assert genomes(-1.0) == drawn


def test_random_search_has_no_centre() -> None:
    """The best of random points is a candidate; there is no centre to record besides."""
    search = search_of(space_of("linear"), SelectParams(optimizer="RandomSearch"))
    step(search, lambda genome: genome[0])
    assert search.centre() is None


@pytest.mark.parametrize(
    "changes",
    [{}, {"optimizer": "DE", "racing": RacingParams(rungs=[5])}, {"optimizer": "random"}],
)
def test_a_shortlist_of_nobody_is_refused(changes: dict[str, object]) -> None:
    """A shortlist of 0 needs a centre that is an average: that of CMA in races."""
    params = SelectParams(shortlist=0).model_copy(update=changes)
    with pytest.raises(ParamsError, match=r"shortlist is 0, .*racing.rungs with CMA"):
        check_strategy(params)
    check_strategy(
        params.model_copy(update={"optimizer": "CMA", "racing": RacingParams(rungs=[5])})
    )
