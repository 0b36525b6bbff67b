"""nevergrad as a strategy, held to replay and to the traps of nevergrad that it avoids."""

import os
import random
import subprocess
import sys
import warnings
from typing import Any, cast

import numpy as np
import pytest

from stages.errors import LineageError, ParamsError
from stages.hashing import content_hash
from stages.params.select_params import RacingParams, SelectParams
from stages.select.strategies.nevergrad_catalogue import LEGAL
from stages.select.strategies.nevergrad_strategy import NevergradStrategy
from stages.select.strategies.registry import STRATEGIES, check_strategy
from tests.select.replay import run
from tests.select.specs import space_of
from tests.select.steps import centre_of, search_of, step, tell


def _global_state() -> tuple[Any, ...]:
    """Return the state of both global generators."""
    state = np.random.get_state(legacy=False)["state"]  # noqa: NPY002
    return state["key"].tobytes(), state["pos"], random.getstate()


def _search(optimizer: str = "CMA", *, population: int = 8, parents: int = 4) -> NevergradStrategy:
    """Return a search of the linear space."""
    params = SelectParams(optimizer=optimizer, population=population, generations=40)
    return cast("NevergradStrategy", search_of(space_of("linear", parents=parents), params))


@pytest.mark.parametrize("optimizer", STRATEGIES)
def test_search_replays_and_leaves_no_trace(
    optimizer: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Equal fitnesses, equal genomes; no draw from global state, no warning, nothing printed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.random.seed(5)  # noqa: NPY002
        before = _global_state()
        first = run(optimizer)
        after = _global_state()
        np.random.seed(6)  # noqa: NPY002
        assert first == run(optimizer)
    assert before == after
    assert ("", "") == tuple(capfd.readouterr())
    assert len({genome for generation in first for genome in generation}) > 15


def test_search_replays_in_another_process() -> None:
    """The genomes do not depend on the process or on PYTHONHASHSEED."""
    names = ["CMA", "TBPSA", "NoisyDE", "RealSpacePSO"]
    hashes = {content_hash({name: run(name) for name in names})}
    own_seed = os.environ.get("PYTHONHASHSEED", "random")
    done = subprocess.run(
        [sys.executable, "-m", "tests.select.replay", *names],
        env={**os.environ, "PYTHONHASHSEED": "2" if own_seed == "1" else "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "" == done.stderr
    assert hashes == {done.stdout.strip()}


@pytest.mark.parametrize("parents", [2, 20])
def test_first_generation_has_the_sigma_that_params_ask_for(parents: int) -> None:
    """The standard deviation of generation 0 is select.sigma of each range, in any dimension."""
    space = space_of("linear", parents=parents)
    params = SelectParams(population=400, generations=2, sigma=0.12)
    units = [space.to_unit(p.genome) for p in search_of(space, params).ask()]
    assert 0.12 == pytest.approx(float(np.std(units)), rel=0.06)
    assert 0.5 == pytest.approx(float(np.mean(units)), abs=0.02)


def test_flat_fitness_does_not_restart_cma() -> None:
    """Forty tied generations are forty steps of one CMA, whose mean wanders on."""
    search = _search()
    strategy = search._es
    means = []
    for _ in range(40):
        step(search, lambda _: 0.0)
        means.append(centre_of(search))
    assert search._optimizer.es is strategy
    assert 40 == strategy.countiter
    assert len(set(means)) > 30


@pytest.mark.parametrize(
    "optimizer", ["CMA", "DiagonalCMA", "TBPSA", "RealSpacePSO", "OnePlusOne"]
)
def test_search_climbs(optimizer: str) -> None:
    """Later generations are fitter than the first: the told values reach the optimiser."""
    search = _search(optimizer, population=12)
    means = []
    for _ in range(15):
        proposals = search.ask()
        units = [search.space.to_unit(proposal.genome) for proposal in proposals]
        fitness = [-sum((u - 0.8) ** 2 for u in unit) for unit in units]
        tell(search, proposals, fitness)
        means.append(float(np.mean(fitness)))
    assert np.mean(means[-3:]) > means[0] + 0.1


def test_cma_mean_is_the_weighted_mean_of_the_better_half() -> None:
    """After a tell the mean lies among the genomes named as ancestors of the next generation."""
    search = _search(population=12)
    proposals = search.ask()
    tell(search, proposals, [-abs(proposal.genome[0] - 1.3) for proposal in proposals])
    mean = centre_of(search)
    ancestors = [proposal.ancestors for proposal in search.ask()]
    assert {6} == {len(names) for names in ancestors}
    assert {*ancestors[0]} == {elite.name for elite in search.elites()}
    parents = [p.genome for p in proposals if p.name in ancestors[0]]
    assert mean is not None
    for gene, low, high in zip(mean, np.min(parents, 0), np.max(parents, 0), strict=True):
        assert low - 1e-4 <= gene <= high + 1e-4


def test_mean_of_races_is_the_average_over_the_later_generations() -> None:
    """Of four generations the last two count, rounded as any genome; the search is the same."""
    space = space_of("linear", parents=3, weight=[0.0, 1.0])
    plain = SelectParams(population=6, generations=4)
    raced = plain.model_copy(update={"racing": RacingParams(rungs=[2, 4])})
    one, two = search_of(space, plain), search_of(space, raced)
    means = []
    for _ in range(4):
        asked = [step(s, lambda g: -sum((gene - 0.3) ** 2 for gene in g)) for s in (one, two)]
        assert asked[0] == asked[1]
        means.append(centre_of(one))
        if len(means) < 3:
            assert means[-1] == centre_of(two)
    expected = [(a + b) / 2 for a, b in zip(means[2] or (), means[3] or (), strict=True)]
    assert space.round(expected) == centre_of(two) != centre_of(one)


@pytest.mark.parametrize("optimizer", ["CMA", "DE", "TBPSA", "RealSpacePSO"])
def test_optimizer_is_told_of_the_rounded_point(optimizer: str) -> None:
    """What nevergrad holds of each candidate is the rounded genome, not its own proposal."""
    search = _search(optimizer)
    for _ in range(2):
        proposals = search.ask()
        for proposal in proposals:
            candidate = search._asked[proposal.name]
            assert search.space.to_unit(proposal.genome) == tuple(candidate.value)
        tell(search, proposals, [0.5] * len(proposals))


def test_warm_starts_fill_the_first_places() -> None:
    """A warm start is asked as it is, first, and is the ancestor of its place."""
    space = space_of("linear")
    params = SelectParams(population=4, generations=2)
    search = search_of(space, params, {"uniform": (0.5, 0.5), "p0": (1.0, 0.0)})
    proposals = search.ask()
    assert [(0.5, 0.5), (1.0, 0.0)] == [proposal.genome for proposal in proposals[:2]]
    assert [("uniform",), ("p0",), (), ()] == [proposal.ancestors for proposal in proposals]
    assert ["g00-c00", "g00-c01", "g00-c02", "g00-c03"] == [p.name for p in proposals]


def test_too_many_warm_starts_are_refused() -> None:
    """Warm starts that do not fit a generation are an error, not dropped."""
    params = SelectParams(population=4)
    starts = {f"s{i}": (0.5, 0.5) for i in range(5)}
    with pytest.raises(ParamsError, match=r"gives 5 genomes .*population is 4"):
        search_of(space_of("linear"), params, starts)


@pytest.mark.parametrize(
    "optimizer", ["CMA", "DE", "TBPSA", "RealSpacePSO", "LHSSearch", "OnePlusOne"]
)
def test_one_gene_can_be_searched(optimizer: str) -> None:
    """A space of one gene works with every family."""
    space = space_of("slerp")
    search = search_of(space, SelectParams(optimizer=optimizer, population=6))
    for _ in range(3):
        step(search, lambda genome: -abs(genome[0] - 0.2))
    mean = centre_of(search)
    assert mean is not None
    assert 1 == len(mean)


def test_failed_candidates_are_told_as_the_worst_so_far() -> None:
    """None is told as the lowest fitness known, so it is the same as telling that number."""
    asked = []
    for worst in (None, -4.0):
        search = _search("DE", population=4)
        tell(search, search.ask(), [-1.0, -4.0, -2.0, -3.0])
        tell(search, search.ask(), [-1.5, worst, -2.5, worst])
        asked.append(search.ask())
    assert asked[0] == asked[1]


def test_a_generation_of_failures_is_survived() -> None:
    """A search whose first generation fails altogether goes on."""
    search = _search()
    step(search, lambda _: None)
    assert 8 == len(search.ask())


@pytest.mark.parametrize(
    ("count", "fitness", "message"),
    [(1, 1.0, "has 8 candidates out, told 1"), (8, float("nan"), "g00-c00: .*must be finite")],
)
def test_tell_refuses_what_is_not_a_fitness(count: int, fitness: float, message: str) -> None:
    """One finite fitness or None for each genome, or nothing is told."""
    search = _search()
    proposals = search.ask()
    with pytest.raises(LineageError, match=message):
        tell(search, proposals[:count], [fitness] * count)
    tell(search, proposals, [0.5] * 8)


def test_results_may_be_told_in_any_order() -> None:
    """Results are known by their names, so the order in which workers end decides nothing."""
    one, two = _search(), _search()
    proposals = one.ask()
    assert proposals == two.ask()
    fitness = [-p.genome[0] for p in proposals]
    tell(one, proposals, fitness)
    tell(two, proposals[::-1], fitness[::-1])
    assert one.ask() == two.ask()
    assert one.elites() == two.elites()


def test_ask_and_tell_alternate() -> None:
    """Asking twice, or telling before asking, is an error that says what to do."""
    search = _search()
    with pytest.raises(LineageError, match="Ask first"):
        search.tell([])
    search.ask()
    with pytest.raises(LineageError, match="Tell its fitnesses first"):
        search.ask()


def test_a_search_ends_after_its_generations() -> None:
    """More generations than params ask for are refused by every optimiser alike."""
    search = search_of(space_of("linear"), SelectParams(population=4, generations=1))
    step(search, lambda _: 0.0)
    with pytest.raises(LineageError, match="all 1 generations"):
        search.ask()


@pytest.mark.parametrize("optimizer", LEGAL)
def test_mean_does_not_disturb_the_search(optimizer: str) -> None:
    """Asking for the mean between generations changes no later genome."""
    runs = []
    for looks in (False, True):
        search = _search(optimizer)
        for _ in range(3):
            step(search, lambda genome: -genome[0])
            _ = looks and search.centre()
        runs.append(search.ask())
    assert runs[0] == runs[1]


def test_differential_evolution_names_its_parents() -> None:
    """A DE child names candidates of earlier generations, by our names."""
    search = _search("DE")
    for _ in range(3):
        step(search, lambda genome: -genome[0])
    ancestors = [proposal.ancestors for proposal in search.ask()]
    assert all(1 <= len(names) <= 4 for names in ancestors)
    assert all(name < "g03" for names in ancestors for name in names)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NGOpt", "crash in mid-run with numpy 2"),
        ("MetaModel", "crash in mid-run with numpy 2"),
        ("Cobyla", "sequential solver"),
        ("SPSA", "one point at a time"),
        ("VoronoiDE", "global state"),
        ("CMAbounded", "elitist"),
        ("OldCMA", "use CMA with select.sigma"),
        ("PSO", "use RealSpacePSO"),
        ("EDA", "cannot be told of points it did not ask"),
        ("NoisyBandit", "asks the same point again"),
        ("Shiwa", "Legal here"),
        ("CMAA", "no optimiser 'CMAA'.*Did you mean 'CMA'"),
    ],
)
def test_unfit_optimizers_are_refused_by_name(name: str, message: str) -> None:
    """An optimiser that cannot search here is refused, and the message says why."""
    with pytest.raises(ParamsError, match=message):
        check_strategy(SelectParams(optimizer=name))


def test_small_populations_are_refused() -> None:
    """CMA needs three candidates for a step; fewer are refused before the search."""
    with pytest.raises(ParamsError, match="needs at least 3"):
        check_strategy(SelectParams(population=2))
    check_strategy(SelectParams(population=3))


def test_a_space_with_nothing_to_search_is_refused() -> None:
    """When every bound is fixed there is no search to run."""
    with pytest.raises(ParamsError, match="nothing is left to search"):
        search_of(space_of("linear", weight=(0.5, 0.5)), SelectParams())
