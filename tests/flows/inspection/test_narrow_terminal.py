"""A narrow terminal folds what it has no room for, and cuts nothing that one may want to copy."""

import io

import pytest
from rich.console import Console

from flows.inspection.rows.difference_text import print_difference
from flows.inspection.rows.row_details import print_details
from flows.inspection.rows.row_difference import difference_of
from flows.inspection.stored_lineage import StoredLineage


@pytest.mark.parametrize("width", [30, 60])
def test_no_id_name_or_number_is_cut(stored: StoredLineage, width: int) -> None:
    """Ids, hashes and values are there to the last digit, if need be on several lines."""
    first, second = stored.row("g02-c01"), stored.row("g01-c02")
    text = io.StringIO()
    console = Console(file=text, width=width)
    print_details(console, stored, first)
    print_difference(console, difference_of(stored, first, second), {})
    assert "\u2026" not in text.getvalue()
    letters = "".join(text.getvalue().split())
    assert first.id in letters
    assert "1itemlostbyg02-c01" in letters
