"""The numbers that ``dvc metrics`` and ``dvc exp show`` compare between runs."""

import pytest

from stages.report.dvc_metrics import metrics_of
from tests.report.conftest import entry_of, evaluation_of, rows_of, selection_with, told


def test_metrics_are_few_numbers_in_a_readers_order() -> None:
    """Test fitness, lead over the best parent, both with errors, then items spent and seed."""
    rows = rows_of()
    rows[11] = rows[11].also(evaluation_of("validation", 10, 30))
    metrics = metrics_of(told(rows))
    assert ["test_fitness", "test_error", "lead", "lead_error", "items", "seed"] == list(metrics)
    assert 0.9 == metrics["test_fitness"]
    assert 0.5 == pytest.approx(metrics["lead"])
    assert (0.625 * 5 / 19 / 20) ** 0.5 == pytest.approx(metrics["lead_error"])
    assert (12 * 40 + 60, 7) == (metrics["items"], metrics["seed"])


def test_metrics_without_parents_hold_no_lead() -> None:
    """What was not measured is left out, not 0."""
    story = told(selection=selection_with(entry_of("it", "champion", maths=10)))
    assert ["test_fitness", "test_error", "items", "seed"] == list(metrics_of(story))
