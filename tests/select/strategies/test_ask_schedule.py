"""Steady searches: what a strategy knows when it asks, replays, budgets, and what is refused."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import pytest

from stages.errors import LineageError, ParamsError
from stages.params.select_params import SelectParams
from stages.select.space.space import Space
from stages.select.strategies.ask_schedule import num_to_ask, window_of
from stages.select.strategies.registry import STRATEGIES, check_strategy
from stages.select.strategies.single_searches import OWN
from stages.select.strategies.strategy import Proposal, Result, Strategy
from tests.select.landscape import Landscape
from tests.select.specs import space_of
from tests.select.steps import params_of, search_of, tell

POPULATION, GENERATIONS, WINDOW = 8, 5, 4
NUM_ALL = POPULATION * GENERATIONS
WEIGHTS = {"t0": 1.0, "t1": 1.0, "t2": 1.0}
PARAMETERS = {"rescale": ["none", "l1", "inverse_density"], "steps": [10, 14]}
SPACE = space_of("wudi", "della", "passthrough", parents=3, parameters=PARAMETERS)
LANDSCAPE = Landscape(SPACE, 3)
WHOLE_SPACE = ("LHSSearch", "ScrHammersleySearch")  # divide the space by the budget
LEARNS_LATER = ("CMA", "DiagonalCMA", "cat_cma", "islands", "TBPSA", "NaiveTBPSA")  # in batches
LEARNS_NOTHING = (*WHOLE_SPACE, "random", "RandomSearch", "Sobol", "QORandomSearch")


def steady(optimizer: str, generations: int = GENERATIONS, **values: Any) -> Strategy:
    """Return a steady search with two warm starts."""
    settings = {"population": POPULATION, "schedule": "steady", **values}
    params = params_of(optimizer, generations=generations, **settings)
    starts = {name: SPACE.from_unit([u] * len(SPACE.genes)) for name, u in START.items()}
    return search_of(SPACE, params, starts)


START = {"low": 0.2, "high": 0.8}


@lru_cache(maxsize=1)
def has_objectives(optimizer: str) -> bool:
    """Return whether a strategy is told a number for each objective."""
    return params_of(optimizer).objectives == "separate"


def result(proposal: Proposal, optimizer: str, *, turned: bool = False) -> Result:
    """Return what the landscape makes of a proposal, or of its opposite; one in seven fails."""
    if sum(map(ord, proposal.name)) % 7 == 0:
        return Result(proposal.name, None)
    opposite = SPACE.from_unit([1 - unit for unit in SPACE.to_unit(proposal.genome)])
    evaluation = LANDSCAPE.evaluation(opposite if turned else proposal.genome)
    is_separate = has_objectives(optimizer)
    values = evaluation.objectives() if is_separate else (evaluation.fitness(WEIGHTS),)
    return Result(proposal.name, values, evaluation)


class Asked(NamedTuple):
    """All that a steady search asked, and how many after each number of results."""

    optimizer: str
    proposals: list[Proposal]
    num_asked: list[int]


def search(
    optimizer: str, turned_from: int = NUM_ALL, num_told: int = NUM_ALL, **values: Any
) -> Asked:
    """Return what a steady search asks, told one result at a time."""
    strategy = steady(optimizer, **values)
    proposals = strategy.ask()
    num_asked = [len(proposals)]
    for number in range(num_told):
        turned = number >= turned_from
        strategy.tell([result(proposals[number], optimizer, turned=turned)])
        proposals += strategy.ask()
        num_asked.append(len(proposals))
    return Asked(optimizer, proposals, num_asked)


def asked(optimizer: str, **values: Any) -> list[Proposal]:
    """Return the candidates of a steady search."""
    return search(optimizer, **values).proposals


@pytest.fixture(scope="module", params=list(STRATEGIES))
def whole(request: pytest.FixtureRequest) -> Asked:
    """Return a strategy and all that it asks in a steady search."""
    return search(request.param)


def test_a_window_is_out_and_all_are_asked(whole: Asked) -> None:
    """After k results k + window candidates have been asked, and in the end all of them, once."""
    optimizer, proposals, num_asked = whole
    assert [min(k + WINDOW, NUM_ALL) for k in range(NUM_ALL + 1)] == num_asked
    names = [f"g{n // POPULATION:02d}-c{n % POPULATION:02d}" for n in range(NUM_ALL)]
    assert names == [proposal.name for proposal in proposals]
    assert [("low",), ("high",)] == [p.ancestors for p in proposals[:2]]
    earlier: set[str] = set(START)
    for proposal in proposals:
        is_copy = optimizer in LEARNS_NOTHING
        assert is_copy or earlier.issuperset(proposal.ancestors)
        earlier.add(proposal.name)
        assert SPACE.round(proposal.genome) == proposal.genome


def test_a_proposal_knows_the_results_before_its_window_and_no_others(whole: Asked) -> None:
    """Other results from number m on change no proposal before m + window.

    Most strategies use the first of them in the proposal that follows, or soon after.
    """
    optimizer, proposals, _ = whole
    first = 2 * POPULATION + 1
    other = asked(optimizer, turned_from=first)
    assert proposals[: first + WINDOW] == other[: first + WINDOW]
    assert (proposals == other) is (optimizer in LEARNS_NOTHING)
    if optimizer not in (*LEARNS_NOTHING, *LEARNS_LATER):
        later = slice(first + WINDOW, first + WINDOW + POPULATION - 1)
        assert proposals[later] != other[later], "it learned from a whole generation only"


@pytest.mark.parametrize("window", [2, POPULATION])
@pytest.mark.parametrize("optimizer", STRATEGIES)
def test_every_window_is_asked_to_the_end(optimizer: str, window: int) -> None:
    """The narrowest that two islands can share, and a whole population, give all candidates."""
    proposals = asked(optimizer, window=window, generations=3, num_told=3 * POPULATION)
    names = [proposal.name for proposal in proposals]
    assert len(set(names)) == len(names) == 3 * POPULATION


@pytest.mark.parametrize("optimizer", ["CMA", "DiagonalCMA", "cat_cma"])
def test_distributions_draw_from_a_whole_population_as_soon_as_it_is_told(optimizer: str) -> None:
    """What generation 1 taught shows in the next proposal, though others of that batch are out."""
    other = asked(optimizer, turned_from=POPULATION)
    proposals = asked(optimizer)
    first = 2 * POPULATION + WINDOW - 1  # asked when the last of generation 1 was told
    assert proposals[:first] == other[:first]
    assert proposals[first].genome != other[first].genome
    last = [proposal.name for proposal in proposals[POPULATION : 2 * POPULATION]]
    assert set(proposals[first].ancestors) < set(last)
    assert len(proposals[first].ancestors) == POPULATION // 2


def test_generation_0_is_that_of_the_other_schedule(whole: Asked) -> None:
    """A search that becomes steady has its first candidates looked up."""
    optimizer, proposals, _ = whole
    assert proposals[:POPULATION] == steady(optimizer, schedule="generations").ask()


def test_more_generations_begin_with_the_same_candidates(whole: Asked) -> None:
    """A finished search is continued, but for two designs that divide the whole space.

    What is asked again is the same, hence; the two are asked again above, told other results.
    """
    optimizer, proposals, _ = whole
    longer = asked(optimizer, generations=2 * GENERATIONS)
    assert (optimizer in WHOLE_SPACE) is not (proposals == longer[:NUM_ALL])


@pytest.mark.parametrize("optimizer", STRATEGIES)
def test_no_score_in_a_whole_generation_ends_no_steady_search(optimizer: str) -> None:
    """It goes on asking; what fails before any score is learned with the first score."""
    num_all = 3 * POPULATION
    strategy = steady(optimizer, generations=3)
    proposals = strategy.ask()
    for number in range(num_all):
        outcome = result(proposals[number], optimizer)
        failed = Result(outcome.name, None)
        strategy.tell([failed if number < POPULATION + 3 else outcome])
        proposals += strategy.ask()
    assert len({proposal.name for proposal in proposals}) == num_all


def test_a_failure_before_any_score_is_not_taken_for_the_best() -> None:
    """Where all fitnesses are below 0, a first candidate that failed leads no search."""
    strategy = steady("OnePlusOne")
    proposals = strategy.ask()
    tell(strategy, proposals[:3], [None, None, -5.0])
    assert ["g00-c00"] == [elite.name for elite in strategy.elites()]  # of equals the first
    centre = strategy.centre()
    assert centre is not None
    tell(strategy, [*proposals[3:], *strategy.ask()][:1], [-1.0])
    centre = strategy.centre()
    assert centre is not None
    assert proposals[3].genome == centre.genome


def test_results_are_told_in_ask_order() -> None:
    """The second result does not go before the first: the search would depend on speed."""
    strategy = steady("genetic")
    proposals = strategy.ask()
    with pytest.raises(LineageError, match=r"told 1 results, of g00-c01.*out longest first"):
        tell(strategy, proposals[1:2], [0.5])
    with pytest.raises(LineageError, match="told 0 results"):
        strategy.tell([])


@pytest.mark.parametrize("optimizer", [name for name in OWN if name != "cat_cma"])
def test_populations_repeat_nobody_one_by_one(optimizer: str) -> None:
    """No candidate of our populations is one that was asked before, also in a steady search."""
    proposals = asked(optimizer)
    identities = {
        tuple(g.value_of(n) for g, n in zip(SPACE.genes, p.genome, strict=True)) for p in proposals
    }
    assert len(proposals) == len(identities)


def test_islands_share_a_window_and_exchange_their_best() -> None:
    """After two generations of results the best of each island are the next of the other."""
    proposals = asked("islands")
    names = [proposal.name for proposal in proposals]
    exchange = 2 * POPULATION + WINDOW - 1  # the first that is asked after the exchange
    copies = [p for p in proposals[exchange : exchange + 2] if len(p.ancestors) == 1]
    assert 2 == len(copies)
    for copy in copies:
        source = proposals[names.index(copy.ancestors[0])]
        assert source.genome == copy.genome
        assert names.index(source.name) % 2 != names.index(copy.name) % 2


def test_windows_are_half_a_population_unless_they_are_given() -> None:
    """Of islands each has half of its own; a generation is a window that moves at once."""

    def window(**values: Any) -> int:
        return window_of(SelectParams.model_validate({"population": 12, **values}))

    four = {"optimizers": ["CMA", "DE", "genetic", "random"]}
    assert 6 == window(schedule="steady")
    assert 3 == window(schedule="steady", window=3)
    assert 4 == window(schedule="steady", optimizer="islands", islands=four)
    params = SelectParams(population=12, generations=2)
    assert [12, 12, 24, 24] == [num_to_ask(params, told_so_far) for told_so_far in (0, 11, 12, 23)]


def refused() -> Iterator[tuple[dict[str, Any], str]]:
    """Yield params that do not go with a steady search, and what is said of them."""
    yield {"schedule": "generations", "window": 3}, "window is 3 and schedule is generations"
    yield {"window": 9}, "window is 9 and population is 8"
    yield {"racing": {"rungs": [2, 4]}}, "racing.rungs has the candidates of a generation race"
    yield {"optimizer": "islands", "window": 3}, "window is 3, which 2 islands cannot share"
    yield (
        {"optimizer": "DE", "objectives": "separate"},
        "DE measures fronts from the worst of .* Legal for both: CMA, DiagonalCMA, genetic",
    )


@pytest.mark.parametrize(("values", "said"), refused())
def test_what_cannot_be_steady_is_refused(values: dict[str, Any], said: str) -> None:
    """It is said before anything runs, with what is legal."""
    values = {"optimizer": "CMA", "population": 8, "schedule": "steady", **values}
    with pytest.raises(ParamsError, match=said):
        check_strategy(params_of(values.pop("optimizer"), **values))


def test_space_has_every_kind_of_gene() -> None:
    """The laws above were shown for numbers, whole numbers and names."""
    assert isinstance(SPACE, Space)
    kinds = {(gene.is_binned, gene.is_category) for gene in SPACE.genes}
    assert {(False, False), (True, False), (True, True)} == kinds
