"""The selection as a person sees it."""

from typing import Any

import pytest

from stages.lineage.selection import Selection
from tests.report.conftest import selection_of


def test_selection_shows_itself_as_tables() -> None:
    """Shortlist and test split are tables, names are escaped, and the text is one short line."""
    selection = selection_of("<i>p</i>")
    shown = selection._repr_html_()
    assert 2 == shown.count("<table>")
    for name in (*(s.name for s in selection.shortlist), *(e.name for e in selection.entries)):
        assert name.replace("<", "&lt;").replace(">", "&gt;") in shown
    assert "<i>" not in shown
    assert f"{selection.winner.evaluation.fitness(selection.task_weights):.4g}" in shown
    assert repr(selection) == (
        f"Selection(champion {selection.champion}, {len(selection.shortlist)} shortlisted, "
        f"{len(selection.entries)} models on the test split)"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"champion": ["p"]}, r"champion is \['p'\]; it must be a valid string"),
        ({"task_weights": {"a": True}}, "task_weights.a is True; it must be a valid number"),
        ({"shortlist": "p"}, "shortlist is 'p'; it must be a valid list"),
        ({"cautions": "take care"}, "cautions is 'take care'"),
        ({"shortlist": [1]}, "shortlist.0 is 1; it must be an object"),
    ],
)
def test_a_value_of_another_type_is_refused(changes: dict[str, Any], message: str) -> None:
    """Python would take a text for its letters, and True for 1."""
    with pytest.raises(ValueError, match=message):
        Selection.from_dict({**selection_of("p").to_dict(), **changes})
