"""How two rows differ, in numbers that a hand can check."""

import json

import pytest

from flows.inspection.rows.difference_text import difference_data
from flows.inspection.rows.row_difference import difference_of, flat, shared_items
from flows.inspection.stored_lineage import StoredLineage
from stages.errors import LineageError
from tests.flows.inspection.small_run import evaluation_of


def test_a_difference_names_genes_values_and_items(stored: StoredLineage) -> None:
    """The first less the second: items gained and lost by id."""
    first, second = stored.row("g02-c01"), stored.row("g01-c02")
    difference = difference_of(stored, first, second)
    assert {"all.weight.one": (0.7, 0.5)} == difference.genes
    assert {"rules.0.values.weight": ([0.7, 0.5], [0.5, 0.5])} == difference.recipe
    (search,) = difference.splits
    assert ("search", 8) == (search.split, search.num_shared)
    assert [("maths", f"search{i}", 1.0, 0.0) for i in range(4)] == [
        (c.task, c.item, c.first, c.second) for c in search.gained
    ]
    assert ["search2"] == [change.item for change in search.lost]
    assert search.comparison is not None
    assert pytest.approx((2 * 1.0 - 0.25) / 3) == search.comparison.difference
    assert {"maths": 1.0, "words": -0.25} == {
        task: one.difference for task, one in search.tasks.items()
    }
    data = difference_data(difference, {("words", "search2"): "Spell it"})
    assert "Spell it" == json.loads(json.dumps(data))["splits"][0]["lost"][0]["text"]


def test_a_row_does_not_differ_from_itself(stored: StoredLineage) -> None:
    """Nothing is gained."""
    row = stored.row("champion")
    difference = difference_of(stored, row, row)
    assert difference.is_empty
    assert ["search", "validation", "test"] == [one.split for one in difference.splits]


def test_a_failed_row_shares_no_split(stored: StoredLineage) -> None:
    """What differs is its recipe."""
    difference = difference_of(stored, stored.row("champion"), stored.row("g00-c02"))
    assert ((), False) == (difference.splits, difference.is_empty)


def test_only_items_that_both_answered_are_compared() -> None:
    """Races ask each generation other items: the rest would compare unlike things."""
    whole = evaluation_of("search", ("1110", "1100"))
    part = evaluation_of("search", ("10", "01"))
    one, two = shared_items(whole, part)
    assert [2, 2] == [task.num_items for task in one.tasks]
    assert [1.0, 1.0] == [task.score for task in one.tasks]
    assert part.items == two.items


def test_nested_values_have_paths() -> None:
    """Lists of plain values stay whole."""
    nested = {"a": [1, 2], "b": [{"c": None}, {"d": "x"}]}
    assert {"a": [1, 2], "b.0.c": None, "b.1.d": "x"} == flat(nested)


def test_an_unknown_row_is_refused(stored: StoredLineage) -> None:
    """With the nearest name."""
    with pytest.raises(LineageError, match=r"^candidate g2-c1: .*Did you mean 'g02-c01'"):
        stored.row("g2-c1")
