"""The champion against every model on the test split, as plain data."""

from dataclasses import replace

import pytest

from stages.lineage.paired_tests import LEAST_P
from stages.report.comparisons import best_of_kind, best_parents, models_compared
from tests.report.conftest import entry_of, selection_of, selection_with

CONFIDENCE = 0.95


def test_models_are_compared_by_item() -> None:
    """The champion leads the parent by 10 of 20 items in each task, and ties the baseline."""
    models = models_compared(selection_of(), CONFIDENCE)
    kinds = [model.kind for model in models]
    assert ["champion", "parent", "parent", "baseline", "base"] == kinds
    champion, parent, _, baseline, _ = models
    assert champion.lead is None
    assert all(figures.lead is None for figures in champion.tasks)
    assert parent.lead is not None
    assert 0.5 == pytest.approx(parent.lead.difference)
    # per task the differences are ten 1 and ten 0: variance 5/19; shares 1/4 and 3/4
    stderr = (0.625 * 5 / 19 / 20) ** 0.5
    assert stderr == pytest.approx(parent.lead.stderr)
    assert 0.5 - 1.959964 * stderr == pytest.approx(parent.lead.low)
    assert 0.5 + 1.959964 * stderr == pytest.approx(parent.lead.high)
    in_maths = parent.tasks[0].lead
    assert in_maths is not None
    assert (5 / 19 / 20) ** 0.5 == pytest.approx(in_maths.stderr)
    assert baseline.lead is not None
    assert (0.0, 1.0, "undecided") == (
        baseline.lead.difference,
        baseline.lead.p_value,
        baseline.lead.outcome,
    )


def test_each_task_has_its_own_best_parent() -> None:
    """A champion that wins on the whole loses in the task of the parent that knows it best."""
    selection = selection_with(
        entry_of("it", "champion", maths=18, french=10),
        entry_of("counts", "parent", maths=9, french=0),
        entry_of("speaks", "parent", maths=0, french=20),
    )
    models = models_compared(selection, CONFIDENCE)
    maths, french = best_parents(models, CONFIDENCE)
    assert ("maths", "counts", "win", 1) == (
        maths.task,
        maths.name,
        maths.lead.outcome,
        maths.lead.num_tests,
    )
    assert (0.9, 0.45) == (maths.champion_score, maths.score)
    assert ("french", "speaks", "loss") == (french.task, french.name, french.lead.outcome)
    assert -0.5 == pytest.approx(french.lead.difference)
    # McNemar's exact p of ten changes in one direction, for the better of two parents
    assert 2 * 2 * 0.5**10 == pytest.approx(french.lead.p_value)
    overall = best_of_kind(models, "parent", CONFIDENCE)
    assert overall is not None
    assert ("speaks", 0.5) == (overall.name, overall.fitness)


def test_lower_scores_are_the_best_where_lower_is_better() -> None:
    """Of errors the parent with the fewest is the best; a lead above 0 is the champion's."""
    selection = selection_with(
        entry_of("it", "champion", lower_is_better=True, slips=2),
        entry_of("careless", "parent", lower_is_better=True, slips=19),
        entry_of("careful", "parent", lower_is_better=True, slips=14),
    )
    (rival,) = best_parents(models_compared(selection, CONFIDENCE), CONFIDENCE)
    assert ("careful", "win") == (rival.name, rival.lead.outcome)
    assert 0.6 == pytest.approx(rival.lead.difference)


def test_a_loss_to_the_best_of_many_may_be_luck() -> None:
    """A p-value that is a loss to one parent is undecided when that parent is the best of nine."""
    few = [entry_of("p0", "parent", maths=20)]
    many = [*few, *(entry_of(f"p{i}", "parent", maths=0) for i in range(1, 9))]
    outcomes = []
    for parents in (few, many):
        selection = selection_with(entry_of("it", "champion", maths=14), *parents)
        rival = best_of_kind(models_compared(selection, CONFIDENCE), "parent", CONFIDENCE)
        assert rival is not None
        outcomes.append((rival.lead.outcome, rival.lead.num_tests))
    assert [("loss", 1), ("undecided", 9)] == outcomes


def test_no_parents_no_rival() -> None:
    """A selection without parents has no best parent, in the whole and by task."""
    models = models_compared(
        selection_with(entry_of("it", "champion", maths=14), entry_of("b", "base", maths=3)),
        CONFIDENCE,
    )
    assert best_of_kind(models, "parent", CONFIDENCE) is None
    assert () == best_parents(models, CONFIDENCE)


def test_confidence_decides_what_counts() -> None:
    """The same lead is a win at 0.95 and undecided at a confidence beyond the test's floor."""
    selection = replace(selection_of())
    for confidence, outcome in ((CONFIDENCE, "win"), (1 - LEAST_P / 2, "undecided")):
        rival = best_of_kind(models_compared(selection, confidence), "parent", confidence)
        assert rival is not None
        assert outcome == rival.lead.outcome
