"""Laws of all strategies: repeats, replays, bounds, failures, and that learning pays."""

from functools import cache
from statistics import fmean

import pytest

from stages.select.strategies.registry import STRATEGIES
from stages.select.strategies.single_searches import OWN
from stages.select.strategies.strategy import Proposal, Result, Strategy
from tests.select.landscape import Landscape
from tests.select.specs import space_of
from tests.select.steps import params_of, search_of

WEIGHTS = {"t0": 1.0, "t1": 1.0, "t2": 1.0}
PARAMETERS = {"rescale": ["none", "l1", "inverse_density"], "steps": [10, 14]}
POPULATION = 8


# Every kind of gene: numbers, whole numbers, methods, parents, names.
SPACE = space_of("wudi", "della", "passthrough", parents=3, parameters=PARAMETERS)
LANDSCAPE = Landscape(SPACE, 3)
TOY_SPACE = space_of("task_arithmetic", "ties", parents=3, layer_groups=2)


def _results(
    landscape: Landscape, proposals: list[Proposal], *, is_separate: bool, fails: bool = True
) -> list[Result]:
    """Return what the landscape makes of the proposals; one in seven of them fails."""
    results = []
    for proposal in proposals:
        evaluation = landscape.evaluation(proposal.genome)
        values = evaluation.objectives() if is_separate else (evaluation.fitness(WEIGHTS),)
        failed = fails and sum(map(ord, proposal.name)) % 7 == 0
        results.append(Result(proposal.name, None if failed else values, evaluation))
    return results


class _Run:
    """A strategy on a landscape, with all that it asked and was told."""

    def __init__(self, optimizer: str, generations: int = 5, seed: int = 1) -> None:
        self.space = SPACE
        self.landscape = LANDSCAPE
        self.params = params_of(
            optimizer, population=POPULATION, generations=generations, seed=seed
        )
        starts = {n: self.space.from_unit([u] * len(self.space.genes)) for n, u in START.items()}
        self.strategy = search_of(self.space, self.params, starts)
        self.asked: list[list[Proposal]] = []
        self.answers: list[list[Result]] = []

    def go(self, generations: int, *, is_reversed: bool = False) -> "_Run":
        """Ask and tell so many generations."""
        for _ in range(generations):
            proposals = self.strategy.ask()
            results = _results(
                self.landscape, proposals, is_separate=self.params.objectives == "separate"
            )
            self.strategy.tell(results[::-1] if is_reversed else results)
            self.asked.append(proposals)
            self.answers.append(results)
        return self


START = {"low": 0.2, "high": 0.8}


@pytest.fixture(scope="module", params=list(STRATEGIES))
def whole(request: pytest.FixtureRequest) -> _Run:
    """Return a finished search of a strategy."""
    return _Run(request.param).go(5)


def test_a_kill_at_any_generation_changes_nothing(whole: _Run) -> None:
    """A new process that is told the first results again asks what the old one would have."""
    again = _Run(whole.params.optimizer)
    for proposals, results in zip(whole.asked, whole.answers, strict=True):
        assert proposals == again.strategy.ask()
        again.strategy.tell(results)


def test_the_order_of_results_changes_nothing(whole: _Run) -> None:
    """Results may come in from workers in any order."""
    again = _Run(whole.params.optimizer).go(5, is_reversed=True)
    assert whole.asked == again.asked


def test_proposals_are_named_and_within_bounds(whole: _Run) -> None:
    """Names are unique, genomes are rounded points of the space, and starts come first."""
    proposals = [proposal for generation in whole.asked for proposal in generation]
    assert len({proposal.name for proposal in proposals}) == len(proposals) == 5 * POPULATION
    assert all(whole.space.round(p.genome) == p.genome for p in proposals)
    assert [("low",), ("high",)] == [p.ancestors for p in whole.asked[0][:2]]
    genes = len(whole.space.genes)
    assert [whole.space.from_unit([u] * genes) for u in START.values()] == [
        proposal.genome for proposal in whole.asked[0][:2]
    ]


def test_ancestors_are_earlier_rows_that_were_scored(whole: _Run) -> None:
    """Whoever is named as an ancestor after generation 0 was evaluated before the child."""
    failed = {r.name for results in whole.answers for r in results if r.objectives is None}
    known: set[str] = set()
    for generation, proposals in enumerate(whole.asked):
        ancestors = {name for p in proposals for name in p.ancestors} if generation else set()
        assert ancestors <= known
        if whole.params.optimizer in OWN and whole.params.optimizer != "cat_cma":
            assert not ancestors & failed
        known |= {proposal.name for proposal in proposals}


@pytest.mark.parametrize("optimizer", STRATEGIES)
def test_a_generation_may_fail_whole(optimizer: str) -> None:
    """A strategy goes on after a generation without a single score."""
    search = _Run(optimizer)
    proposals = search.strategy.ask()
    search.strategy.tell([Result(proposal.name, None) for proposal in proposals])
    assert POPULATION == len(search.strategy.ask())


@pytest.mark.parametrize("optimizer", [name for name in OWN if name != "cat_cma"])
def test_populations_repeat_nobody(optimizer: str) -> None:
    """No candidate of our populations is one that was evaluated before."""
    run = _Run(optimizer, generations=12).go(12)
    proposals = [proposal for generation in run.asked for proposal in generation]
    identities = {
        tuple(g.value_of(n) for g, n in zip(run.space.genes, p.genome, strict=True))
        for p in proposals
    }
    assert len(proposals) == len(identities)


@cache
def _toy(seed: int) -> Landscape:
    return Landscape(TOY_SPACE, seed)


def _best(optimizer: str, seed: int) -> float:
    """Return the best fitness that a search finds with 144 candidates."""
    landscape = _toy(seed)
    params = params_of(optimizer, population=12, generations=12, seed=seed)
    strategy: Strategy = search_of(TOY_SPACE, params)
    best = 0.0
    for _ in range(12):
        proposals = strategy.ask()
        results = _results(
            landscape, proposals, is_separate=params.objectives == "separate", fails=False
        )
        evaluations = [result.evaluation for result in results]
        best = max(best, *(e.fitness(WEIGHTS) for e in evaluations if e is not None))
        strategy.tell(results)
    return best


@pytest.fixture(scope="module")
def blind() -> float:
    """Return what random search reaches, on average over seeds."""
    return fmean(_best("random", seed) for seed in range(6))


@pytest.mark.parametrize("optimizer", OWN)
def test_learning_pays(optimizer: str, blind: float) -> None:
    """Each of our own strategies beats blind draws on a toy landscape, on average over seeds."""
    assert fmean(_best(optimizer, seed) for seed in range(6)) > blind + 0.01
