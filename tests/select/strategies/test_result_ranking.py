"""The order of a generation's results, in which a race's rungs come first."""

import math

from hypothesis import given
from hypothesis import strategies as st

from stages.params.select_params import SelectParams
from stages.select.strategies.result_ranking import levelled, order_of
from tests.select.specs import space_of
from tests.select.steps import search_of, tell

RESULTS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([-0.5, 0.0, 0.25, 0.3, 0.9])), max_size=10
)


def test_who_went_further_comes_first() -> None:
    """Rung 2 before rung 1 before a failure, whatever the fitness; then fitness, then index."""
    points = [(0.9,), (0.4,), (0.5,), (0.5,), (0.95,)]
    assert [2, 3, 1, 0, 4] == order_of(points, [1, 2, 2, 2, 0])


def test_several_objectives_are_ranked_by_fronts() -> None:
    """The order is that of the fronts, and within one of the less crowded."""
    points = [(0.2, 0.2), (0.0, 1.0), (0.5, 0.5), (1.0, 0.0)]
    assert [1, 3, 2, 0] == order_of(points, [0] * 4)


def test_levels_are_lowered_by_no_more_than_the_order_asks_for() -> None:
    """0.9 on one rung becomes the next number below the 0.5 of two rungs; equals stay equal."""
    below = math.nextafter(0.5, 0.0)
    assert [below, 0.5, 0.5, 0.1] == levelled([0.9, 0.5, 0.5, 0.1], [1, 2, 2, 0])


@given(RESULTS)
def test_levels_keep_the_order(results: list[tuple[int, float]]) -> None:
    """Sorted by level, results are in order of rung and fitness; without a race none changes."""
    rungs, values = [r for r, _ in results], [v for _, v in results]
    levels = levelled(values, rungs)
    for one, first in zip(levels, results, strict=True):
        for other, second in zip(levels, results, strict=True):
            assert (one > other) == (first > second)
    assert all(level <= value for level, value in zip(levels, values, strict=True))
    assert values == levelled(values, [1] * len(values))


def test_cma_is_told_the_order_of_the_race() -> None:
    """Of two fitnesses the higher on fewer items is worse: CMA's centre moves to the other."""
    centres = []
    for rungs in ([2, 2, 2, 1, 1, 1], [1, 1, 1, 2, 2, 2]):
        search = search_of(space_of("linear"), SelectParams(population=6, generations=2))
        proposals = search.ask()
        tell(search, proposals, [0.5, 0.5, 0.5, 0.6, 0.6, 0.6], rungs)
        expected = proposals[:3] if rungs[0] == 2 else proposals[3:]
        assert expected == list(search.elites())
        centres.append(search.centre())
    assert centres[0] != centres[1]
