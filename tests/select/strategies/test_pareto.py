"""Non-dominated sorting and crowding, held to hand-worked numbers and to their laws."""

import math

from hypothesis import given
from hypothesis import strategies as st

from stages.select.strategies.pareto import crowding, dominates, fronts, ranked

POINTS = st.lists(st.tuples(*[st.sampled_from([0.0, 0.25, 0.5, 1.0])] * 3), max_size=12)


def test_fronts_are_the_hand_worked_ones() -> None:
    """(1, 0), (0, 1) and (0.6, 0.6) beat (0.5, 0.5), which beats (0, 0)."""
    points = [(0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (0.0, 1.0), (0.6, 0.6)]
    assert [[1, 3, 4], [2], [0]] == fronts(points)


def test_crowding_is_the_hand_worked_one() -> None:
    """The ends have infinity; the middle of (0, 4), (1, 3), (4, 0) has 4/4 + 4/4."""
    assert [math.inf, 2.0, math.inf] == crowding([(0.0, 4.0), (1.0, 3.0), (4.0, 0.0)])


def test_equal_points_count_once_in_the_crowding() -> None:
    """Copies change no distance, and come after every distinct point of their front."""
    points = [(0.0, 4.0), (0.0, 4.0), (4.0, 0.0), (1.0, 3.0), (0.0, 4.0), (4.0, 0.0)]
    ends, middle = math.inf, 2.0
    assert [ends, ends, ends, middle, ends, ends] == crowding(points)
    assert [0, 2, 3, 1, 5, 4] == ranked(points)


def test_equal_points_are_all_on_the_front() -> None:
    """Nobody beats an equal; the order of equals is that of their places."""
    assert [[0, 1, 2]] == fronts([(0.5, 0.5)] * 3)
    assert [0, 1, 2] == sorted(ranked([(0.5, 0.5)] * 3))


@given(POINTS)
def test_fronts_divide_the_points(points: list[tuple[float, ...]]) -> None:
    """Every point is on one front; nobody beats another of its front; an earlier front does."""
    divided = fronts(points)
    assert sorted(i for front in divided for i in front) == list(range(len(points)))
    for rank, front in enumerate(divided):
        assert not any(dominates(points[i], points[j]) for i in front for j in front)
        for j in front if rank else []:
            assert any(dominates(points[i], points[j]) for i in divided[rank - 1])


@given(POINTS)
def test_ranked_never_puts_the_beaten_before_the_beater(points: list[tuple[float, ...]]) -> None:
    """The order is one of all points, and agrees with dominance."""
    order = ranked(points)
    assert sorted(order) == list(range(len(points)))
    position = {point: i for i, point in enumerate(order)}
    for i, first in enumerate(points):
        for j, second in enumerate(points):
            if dominates(first, second):
                assert position[i] < position[j]


def test_one_objective_is_ranked_by_its_value() -> None:
    """With one objective the order is that of the numbers."""
    assert [2, 0, 1] == ranked([(0.5,), (0.1,), (0.9,)])
