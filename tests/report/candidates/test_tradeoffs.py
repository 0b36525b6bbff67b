"""Candidates that no other beats in every task."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from stages.lineage.rows import Row
from stages.report.candidates.tradeoffs import unbeaten
from tests.report.conftest import rows_of


def rows_scoring(*points: tuple[float, float], lower: bool = False) -> list[Row]:
    """Return rows with those scores in two tasks; ``lower``: the second counts mistakes."""
    first = rows_of()[0]
    task = first.scores["search"]["maths"]
    return [
        replace(
            first,
            name=f"c{i}",
            scores={
                "search": {
                    "a": {**task, "score": a},
                    "b": {**task, "score": b, "higher_is_better": not lower},
                }
            },
        )
        for i, (a, b) in enumerate(points)
    ]


def test_who_is_best_in_something_is_unbeaten() -> None:
    """The best of either task and a good all-rounder stay; equal points stay together."""
    points = [(0.9, 0.1), (0.1, 0.9), (0.6, 0.6), (0.5, 0.6), (0.6, 0.6), (0.0, 0.0)]
    assert ("c0", "c1", "c2", "c4") == unbeaten(rows_scoring(*points))


def test_lower_scores_beat_where_lower_is_better() -> None:
    """Of mistakes the fewest are the best."""
    assert ("c1",) == unbeaten(rows_scoring((0.5, 9.0), (0.5, 2.0), lower=True))


def test_a_child_that_costs_less_is_unbeaten_where_cost_is_an_objective() -> None:
    """Worse in both tasks and smaller: it stays; as large it goes."""
    good, small, large = rows_scoring((0.9, 0.9), (0.5, 0.5), (0.4, 0.4))
    costly = [
        replace(row, child_cost={"layers": layers})
        for row, layers in ((good, 8), (small, 6), (large, 8))
    ]
    assert ("c0", "c1") == unbeaten(costly)


def test_nobody_is_unbeaten_where_nobody_was_scored() -> None:
    """Failed rows take no part."""
    failed = replace(rows_of()[0], status="failed", fitness=None, scores={})
    assert () == unbeaten([failed])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
def test_every_row_is_unbeaten_or_beaten_by_one_that_is(points: list[tuple[int, int]]) -> None:
    """The front answers for everybody: what is not on it is beaten by something that is."""
    rows = rows_scoring(*((float(a), float(b)) for a, b in points))
    front = {int(name[1:]) for name in unbeaten(rows)}
    assert front
    for i, point in enumerate(points):
        beating = [
            j
            for j in front
            if points[j] != point and all(x >= y for x, y in zip(points[j], point, strict=True))
        ]
        assert (i in front) is not bool(beating)
