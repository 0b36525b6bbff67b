"""Fitness by generation, and what the search cost."""

from dataclasses import replace

import pytest

from stages.report.search_course import cost_of, generations_of
from tests.report.conftest import evaluation_of, raced_rows, rows_of, selection_of


def test_generations_count_failures_and_leave_out_the_mean() -> None:
    """Three generations: best, mean and median of what was scored; the best so far never falls."""
    course = generations_of(rows_of(), is_raced=False)
    assert [0, 1, 2] == [figures.generation for figures in course]
    assert [4, 3, 4] == [figures.num_ok for figures in course]
    assert [0, 1, 0] == [figures.num_failed for figures in course]
    assert [0.15, 0.3, 0.45] == [figures.best for figures in course]
    assert (3 + 4 + 6) / 60 == pytest.approx(course[1].mean)
    assert 0.2 == pytest.approx(course[1].median)
    assert [0.15, 0.3, 0.45] == [figures.best_so_far for figures in course]
    stderr = {row.name: row.fitness_stderr for row in rows_of()}
    assert [stderr[f"g0{i}-c03"] for i in range(3)] == [figures.best_stderr for figures in course]


def test_generations_of_races_are_of_winners_alone() -> None:
    """A race has a winner and its error; races are on unlike items, so none is best so far."""
    course = generations_of(raced_rows(0.4, 0.6, 0.5), is_raced=True)
    assert [0.4, 0.6, 0.5] == [figures.best for figures in course]
    assert [0.1, 0.2, 0.3] == pytest.approx([figures.best_stderr for figures in course])
    assert [None, None, None] == [figures.best_so_far for figures in course]
    assert [2, 2, 2] == [figures.num_ok for figures in course]


def test_generation_that_failed_altogether_has_no_figures() -> None:
    """Nothing was scored, so nothing is said but how many failed."""
    failed = [
        replace(row, status="failed", fitness=None, fitness_stderr=None, scores={})
        if row.generation == 1
        else row
        for row in rows_of()
    ]
    figures = generations_of(failed, is_raced=False)[1]
    assert (None, None, None, None) == (
        figures.best,
        figures.best_stderr,
        figures.mean,
        figures.median,
    )
    assert (0.15, 0, 4) == (figures.best_so_far, figures.num_ok, figures.num_failed)


def test_cost_counts_every_item_that_was_asked_for() -> None:
    """Twelve scored rows of 40 items; one was validated; five models met the test split."""
    rows = rows_of()
    rows[11] = rows[11].also(evaluation_of("validation", 10, 30))
    cost = cost_of(rows, selection_of())
    assert (12 * 40, 60, 5 * 40) == (cost.search, cost.validation, cost.test)
