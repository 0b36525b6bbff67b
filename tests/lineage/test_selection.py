"""The selection as a person sees it."""

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
