"""Which rows a person gets, and in which order."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from flows.inspection.rows.listing import RowQuery, listed_rows
from flows.inspection.rows.row_table import print_rows
from flows.inspection.stored_lineage import StoredLineage
from stages.errors import LineageError
from tests.flows.inspection.small_run import RIGHT

QUERY = RowQuery()


def names(stored: StoredLineage, query: RowQuery) -> list[str]:
    """Return the names of the rows that a query asks for."""
    return [row.name for row in listed_rows(stored, query)]


def test_rows_come_best_first_and_failures_last(stored: StoredLineage) -> None:
    """Equal fitness keeps the order of the lineage; reversed, failures are still last."""
    listed = names(stored, QUERY)
    assert ["g02-c01", "g01-c01"] == listed[:2]
    assert "g00-c02" == listed[-1]
    backwards = names(stored, replace(QUERY, reverse=True))
    assert "g00-c00" == backwards[0]
    assert "g00-c02" == backwards[-1]
    assert set(RIGHT) == set(listed) == set(backwards)


@pytest.mark.parametrize(
    ("key", "first"),
    [
        ("words", "g01-c02"),
        ("search.words", "g01-c02"),
        ("validation.words", "g01-c01"),
        ("test.maths", "g02-c01"),
        ("name", "g00-c00"),
        ("all.weight.one", "g00-c00"),
        ("items", "g00-c00"),
    ],
)
def test_any_task_split_or_column_sorts(stored: StoredLineage, key: str, first: str) -> None:
    """Scores the best first, the rest from the least."""
    rows = [n for n in names(stored, replace(QUERY, sort=key)) if n != "g00-c02"]
    assert first == rows[0]


def test_a_score_that_is_better_lower_comes_lowest_first(stored: StoredLineage) -> None:
    """Perplexities sort upwards."""
    rows = []
    for row in stored.rows:
        search = (
            {t: {**s, "higher_is_better": False} for t, s in row.scores["search"].items()}
            if (row.scores)
            else {}
        )
        rows.append(replace(row, scores={"search": search} if search else {}))
    lower = replace(stored, rows=tuple(rows))
    assert "g01-c02" == names(lower, replace(QUERY, sort="maths"))[0]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"generations": (0, 0)}, {"g00-c00", "g00-c01", "g00-c02"}),
        ({"generations": (1, 2), "limit": 1}, {"g02-c01"}),
        ({"status": "failed"}, {"g00-c02"}),
        ({"methods": ("task_arithmetic",), "limit": 8}, set(RIGHT)),
        ({"where": ("maths=1",)}, {"g01-c01", "g02-c01"}),
        ({"where": ("maths >= 0.75", "words<=0.5")}, {"g01-c00", "g01-c01"}),
        ({"where": ("error!=none",)}, {"g00-c02"}),
        ({"where": ("fitness=none",)}, {"g00-c02"}),
        ({"where": ("test.maths!=none",)}, {"g02-c01"}),
        ({"where": ("ancestors~g01-c01",)}, {"g02-c00", "g02-c01"}),
        ({"where": ("name=g00-c01",)}, {"g00-c01"}),
        ({"where": ("status!=ok",)}, {"g00-c02"}),
        ({"where": ("fitness>1",)}, set()),
    ],
)
def test_rows_are_filtered(
    stored: StoredLineage, changes: dict[str, object], expected: set[str]
) -> None:
    """Every condition must hold; a row without a value meets only what asks for none."""
    assert expected == set(names(stored, replace(QUERY, **changes)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sort": "mahts"}, r"'mahts': not a column .* Did you mean 'maths'\? Legal: name, id"),
        ({"where": ("fitness",)}, "'fitness': not a comparison. Write COLUMN"),
        ({"where": ("fitnes>1",)}, "Did you mean 'fitness'"),
        ({"where": ("fitness>high",)}, "'high' is not a number, and fitness holds numbers"),
        ({"where": ("__import__('os').system('true')>1",)}, "not a column of the lineage"),
        ({"where": ("@pd.io>1",)}, "not a column of the lineage"),
        ({"tasks": ("word",)}, r"--task word: not in .* 'words'\? There: maths, words."),
        ({"methods": ("ties",)}, "--method ties: not in .* There: task_arithmetic"),
    ],
)
def test_a_wrong_word_is_told_with_what_is_legal(
    stored: StoredLineage, changes: dict[str, object], message: str
) -> None:
    """The nearest is offered; nothing that is typed runs as code."""
    with pytest.raises(LineageError, match=message):
        listed_rows(stored, replace(QUERY, **changes))  # type: ignore[arg-type]


def printed(stored: StoredLineage, path: Path, width: int) -> str:
    """Return the table of all rows at a width."""
    with path.open("w", encoding="utf-8") as file:
        console = Console(file=file, width=width, markup=False, highlight=False)
        print_rows(console, stored, listed_rows(stored, QUERY))
    return path.read_text(encoding="utf-8")


def test_a_narrow_terminal_says_which_columns_it_lacks(
    stored: StoredLineage, tmp_path: Path
) -> None:
    """No line is wider than the terminal, and no cell is cut."""
    narrow, wide = (printed(stored, tmp_path / "out", width) for width in (60, 200))
    assert max(map(len, narrow.splitlines())) <= 60
    assert "…" not in narrow
    assert "No room for validation, test, id, ancestors, error: a wider" in narrow.replace(
        "\n", " "
    )
    assert "No room" not in wide
    assert "ran out of time" in wide
    assert "0.9167 ± 0.1572" in narrow


def test_no_rows_are_said(stored: StoredLineage, tmp_path: Path) -> None:
    """An empty table would not say that there are others."""
    with (tmp_path / "out").open("w") as file:
        print_rows(Console(file=file), stored, [])
    assert "none of 8 candidates\n" == (tmp_path / "out").read_text()
