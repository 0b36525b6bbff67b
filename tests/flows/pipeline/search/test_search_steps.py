"""Whole searches of every strategy in every space, their outcomes made up and out of order.

What is tested is the search as the flow and the audit step through it: rows, ancestors and ids,
as the lineage's bytes. Outcomes hang on the recipe alone, as real ones do; when they arrive hangs
on the number of workers and on chance.
"""

import random
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from flows.execution.executor import CandidateJob
from flows.pipeline.evolve import select
from flows.pipeline.preflight import check
from flows.pipeline.search.search_steps import generations, score_centre
from flows.pipeline.search_state import Evolution
from flows.pipeline.session import SearchSession
from flows.prefect_runtime.console import SearchProgress
from stages.download.manifest import PARENTS, Parents
from stages.errors import ParamsError
from stages.evaluate.tasks.suite import Suite
from stages.hashing import content_hash
from stages.lineage.evaluation import Evaluation, ItemScore, TaskScore
from stages.lineage.outcome import Outcome
from stages.lineage.rows import MEAN, SCAN, Row, write_rows
from stages.params.evaluate_params import EstimatorParams
from stages.params.load import Params, load_params
from stages.select.strategies.registry import STRATEGIES
from tests.slow_cases import with_slow

POPULATION, GENERATIONS = 8, 3
SPACES: dict[str, dict[str, Any]] = {
    "weights": {"methods": ["ties", "task_arithmetic"], "layer_groups": 2},
    "splice": {"methods": [], "layers": {"encoding": "splice", "cuts": 2, "overlap": 1}},
    "pick": {"methods": [], "layers": {"encoding": "pick", "attention_gain": [0.5, 2.0]}},
    "blocks": {"methods": ["linear"], "layers": {"encoding": "blocks", "blocks": 2}},
    "indicator": {"methods": [], "layers": {"encoding": "indicator", "repeats": 2}},
    "interleaved": {"methods": ["linear"], "layers": {"encoding": "interleaved"}},
}
NEEDED: dict[str, dict[str, Any]] = {
    "nsga2": {"objectives": "separate"},
    "islands": {"islands": {"optimizers": ["CMA", "genetic"], "exchange_every": 2}},
    "map_elites": {"archive": {"axes": {"spanish_arithmetic": [0, 1]}}},
}


class MadeUpOutcomes:
    """Scores drawn by the recipe; ``num_workers`` jobs are at work, and any may be done next."""

    def __init__(self, suite: Suite, num_workers: int, seed: int) -> None:
        self._suite = suite
        self._num_workers = num_workers
        self._random = random.Random(seed)
        self._waiting: list[tuple[str, CandidateJob]] = []

    def submit(self, label: str, job: CandidateJob) -> None:
        """Take a job."""
        ids = [other.recipe.id for _, other in self._waiting]
        assert job.recipe.id not in ids, "one recipe is evaluated twice at once"
        self._waiting.append((label, job))

    def next(self) -> tuple[str, Outcome]:
        """Return one of the jobs at work; one recipe in nine fails."""
        index = self._random.randrange(min(self._num_workers, len(self._waiting)))
        label, job = self._waiting.pop(index)
        number = int(content_hash(["score of", job.recipe.id])[:8], 16)
        if number % 9 == 0:
            return label, Outcome(None, None, "drawn to fail")
        items = job.items if job.items is not None else self._suite.items(job.split)
        scores = tuple(
            ItemScore(task, item, float(int(content_hash([number, item])[:4], 16) % 3 > 0))
            for task, item in items
        )
        return label, Outcome(job.recipe.id, Evaluation(job.split, _means(scores), scores))


def _means(scores: tuple[ItemScore, ...]) -> tuple[TaskScore, ...]:
    means = []
    for task in dict.fromkeys(score.task for score in scores):
        own = [score.value for score in scores if score.task == task]
        means.append(TaskScore(task, "exact_match", sum(own) / len(own), 0.0, len(own), True))
    return tuple(means)


@pytest.fixture(scope="module", autouse=True)
def _in_project(downloaded: Path) -> Iterator[None]:
    """Work in the project whose parents are downloaded; nothing is written there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(downloaded)
        yield


@cache
def _project() -> tuple[Params, Parents, Suite]:
    params = load_params()
    return params, Parents.read(PARENTS), Suite.load(params.evaluate)


def params_of(space: str, optimizer: str, **values: Any) -> Params:
    """Return the project's params with a search of this strategy in this space."""
    params = _project()[0]
    settings = {"optimizer": optimizer, "population": POPULATION, "generations": GENERATIONS}
    own = {"space": SPACES[space], "warm_start": ["parents"], "shortlist": 2}
    raw = {**settings, **own, **NEEDED.get(optimizer, {}), **values}
    return params.model_copy(update={"select": type(params.select).model_validate(raw)})


def searched(params: Params, num_workers: int, seed: int = 0) -> Evolution:
    """Return a search after all its steps."""
    _, parents, suite = _project()
    stream = partial(MadeUpOutcomes, suite, num_workers, seed)
    evolution = Evolution(SearchSession(params, parents, suite, stream))
    with SearchProgress(0, "", is_quiet=True) as progress:
        for _ in generations(evolution, select.fn, progress):
            pass
        score_centre(evolution, progress)
    return evolution


def bytes_of(rows: list[Row], folder: Path) -> bytes:
    """Return the lineage's file."""
    write_rows(folder / "genomes.jsonl", rows)
    return (folder / "genomes.jsonl").read_bytes()


QUICK = (
    *("CMA", "DE", "RandomSearch", "TBPSA", "genetic", "nsga2", "map_elites", "cycle_qd"),
    *("m2n2", "cat_cma", "islands"),
)
SCHEDULES: dict[str, dict[str, Any]] = {
    "generations": {},
    "steady": {"schedule": "steady"},
    "races": {"racing": {"rungs": [2, 4]}},
}
NO_RACES = ("nsga2", "map_elites", "cycle_qd", "m2n2")  # refused before anything runs
NAMES = {
    f"{optimizer}-{space}-{schedule}": (optimizer, space, schedule)
    for optimizer in STRATEGIES
    for space in SPACES
    for schedule in SCHEDULES
    if not (schedule == "races" and optimizer in NO_RACES)
}
# Of the strategies that differ most, one space each, in turn.
IN_TURN = [
    name
    for number, optimizer in enumerate(QUICK)
    for turn, schedule in enumerate(SCHEDULES)
    if (name := f"{optimizer}-{list(SPACES)[(number + turn) % len(SPACES)]}-{schedule}") in NAMES
]


@pytest.mark.parametrize("case", with_slow(NAMES, set(NAMES) - set(IN_TURN)))
def test_searches_do_not_depend_on_workers_or_luck(case: str, tmp_path: Path) -> None:
    """With one worker, or with four and luck, and longer: the first rows are the same bytes."""
    optimizer, space, schedule = NAMES[case]
    params = params_of(space, optimizer, **SCHEDULES[schedule])
    first = [row for row in searched(params, 1).rows if row.name != MEAN]
    assert len(first) == POPULATION * GENERATIONS
    expected = bytes_of(first, tmp_path)
    if optimizer in ("LHSSearch", "ScrHammersleySearch"):  # divide the space by the budget
        again = searched(params, 4, 1)
    else:
        own = {**SCHEDULES[schedule], "generations": GENERATIONS + 2}
        again = searched(params_of(space, optimizer, **own), 4, 1)
    assert expected == bytes_of(again.rows[: len(first)], tmp_path)


def test_estimates_do_not_depend_on_workers_or_luck() -> None:
    """Generation 0 is scored in full and the rest estimated, whatever is done first."""
    params = params_of("weights", "CMA")
    estimator = EstimatorParams.model_validate({"kind": "gmp_irt", "num_items": 3})
    evaluate = params.evaluate.model_copy(update={"estimator": estimator})
    params = params.model_copy(update={"evaluate": evaluate})
    one, four = (searched(params, count, seed).rows for count, seed in ((1, 0), (4, 1)))
    assert one == four
    scores = [score for row in one for score in row.scores.get("search", {}).values()]
    assert {None, "gmp_irt"} == {score.get("estimator") for score in scores}


def test_a_steady_search_never_waits_for_a_generation() -> None:
    """While the first candidate takes longest, others are asked up to the window."""
    params = params_of("weights", "genetic", schedule="steady", window=5)
    _, parents, suite = _project()
    numbers: list[int] = []

    class Slow(MadeUpOutcomes):
        """The job that waits longest is done last."""

        def next(self) -> tuple[str, Outcome]:
            numbers.append(len(self._waiting))
            self._waiting.reverse()
            return super().next()

    evolution = Evolution(SearchSession(params, parents, suite, lambda: Slow(suite, 1, 0)))
    with SearchProgress(0, "", is_quiet=True) as progress:
        for _ in generations(evolution, select.fn, progress):
            pass
    assert 5 == max(numbers)
    expected = [row.name for row in searched(params, 3).rows]
    assert expected == [row.name for row in evolution.rows]


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ({"candidates": 39}, (3, "candidates")),
        ({"items": 8 * 12 * 3}, (2, "items")),
        ({"patience": 1}, (2, "patience")),
        ({"target": 0.5}, (0, "target")),
    ],
)
def test_rules_end_a_steady_search_after_a_whole_generation(
    stop: dict[str, Any], expected: tuple[int, str]
) -> None:
    """Those that are out when a rule fires are recorded; workers and luck change nothing."""
    params = params_of("weights", "genetic", schedule="steady", generations=6, stop=stop, window=3)
    searches = [searched(params, count, seed) for count, seed in ((1, 0), (3, 1), (3, 2))]
    for search in searches:
        assert search.ending is not None
        assert expected == (search.ending.generation, search.ending.rule)
        assert POPULATION * (expected[0] + 1) == len(search.rows)
        assert searches[0].rows == search.rows


def test_a_scan_goes_before_a_steady_search() -> None:
    """Its best are starts of generation 0, and its rows have no part in the window."""
    scan = {"scan": {"budget": 12, "starts": 2}}
    params = params_of("splice", "genetic", schedule="steady", **scan)
    one, four = searched(params, 1), searched(params, 4, 1)
    assert one.rows == four.rows
    scanned = [row.name for row in one.rows if row.generation == SCAN]
    starts = [
        row
        for row in one.rows
        if row.generation == 0 and row.ancestors[:1] in [(name,) for name in scanned]
    ]
    assert 2 == len(starts)
    assert POPULATION * GENERATIONS == len(one.rows) - len(scanned)


def test_estimators_are_refused_with_a_steady_search() -> None:
    """They learn from generation 0 as a whole; it is said before anything runs."""
    params = params_of("weights", "CMA", schedule="steady")
    estimator = {"kind": "mean", "num_items": 2}
    evaluate = params.evaluate.model_copy(
        update={"estimator": EstimatorParams.model_validate(estimator)}
    )
    with pytest.raises(ParamsError, match=r"evaluate\.estimator\.kind mean learns from the whole"):
        check(params.model_copy(update={"evaluate": evaluate}))
