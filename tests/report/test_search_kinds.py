"""The kinds of search side by side, and the sentence about them."""

from dataclasses import replace

import pytest

from stages.lineage import selection
from stages.params.space.space_params import Half
from stages.report.page.html_page import render_page
from stages.report.report_tables import summary_markdown
from stages.report.story import Story
from tests.report.conftest import entry_of, selection_with, told

BOTH: tuple[Half, ...] = ("parameters", "layers")


def tuned(name: str, right: int, num_evaluations: int) -> selection.TestedModel:
    """Return a tuned baseline that got that many of twenty items right."""
    return replace(entry_of(name, "tuned", maths=right), num_evaluations=num_evaluations)


def story_with(parameters: int, layers: int, champion: int = 14) -> Story:
    """Return the story of a run in both halves, by how many items each search got right."""
    return told(
        selection=selection_with(
            entry_of("it", "champion", maths=champion),
            entry_of("p", "parent", maths=2),
            entry_of("q", "parent", maths=5),
            entry_of("uniform", "baseline", maths=6),
            tuned("sweep", 6, 12),
            tuned("random", 7, 20),
            tuned("parameters", parameters, 72),
            tuned("layers", layers, 70),
        ),
        halves=BOTH,
    )


def test_kinds_are_a_table_from_no_search_to_the_run_s_own() -> None:
    """Each has a score, its error, its evaluations, and the champion's lead with its interval."""
    story = story_with(parameters=7, layers=12)
    assert [
        ("best parent", "q", 0, 0.25),
        ("best fixed recipe", "uniform", 0, 0.3),
        ("sweep of one factor for all parents", "sweep", 12, 0.3),
        ("random draws in the space", "random", 20, 0.35),
        ("search in parameters alone", "parameters", 72, 0.35),
        ("search in layers alone", "layers", 70, 0.6),
        ("search in parameters and layers", "it", 4, 0.7),
    ] == [(kind.kind, kind.name, kind.num_evaluations, kind.fitness) for kind in story.kinds]
    *others, own = story.kinds
    assert own.lead is None
    for kind in others:
        assert kind.lead is not None
        assert kind.lead.low < kind.lead.difference < kind.lead.high
        assert pytest.approx(0.7 - kind.fitness) == kind.lead.difference
        assert kind.stderr > 0
    text = summary_markdown(story, "Title")
    assert "## By kind of search" in text
    assert "| search in layers alone | layers | 70 | 0.600 ± " in text
    page = render_page(story.search, story, title="Title")
    table = page[page.index('<table id="kinds">') :].split("</table>")[0]
    assert all(f"<td>{kind.kind}</td>" in table for kind in story.kinds)
    assert story.by_kind in page
    assert story.by_kind in text


def test_the_sentence_says_where_both_halves_together_gain_nothing() -> None:
    """A loss and what cannot be told are said as plainly as a gain."""
    gain = story_with(parameters=3, layers=4, champion=20).by_kind
    assert gain == (
        "The search in parameters and layers beats the best parent, the best fixed recipe, "
        "the sweep of one factor for all parents, the random draws in the space, "
        "the search in parameters alone and the search in layers alone. "
        "Both together are better than each alone."
    )
    even = story_with(parameters=3, layers=13).by_kind
    assert even.endswith(
        "; it cannot be told from the search in layers alone. "
        "That both together are better than layers alone is not shown."
    )
    loss = story_with(parameters=20, layers=14).by_kind
    assert "; it is worse than the search in parameters alone; it cannot be told from " in loss
    assert loss.endswith(" Here parameters alone did better than both together.")


def test_a_run_in_one_half_is_named_for_it() -> None:
    """Without halves alone nothing is said of halves; with a champion alone nothing at all."""
    plain = selection_with(entry_of("it", "champion", maths=18), entry_of("p", "parent", maths=2))
    story = told(selection=plain, halves=("layers",))
    assert ["best parent", "search in layers"] == [kind.kind for kind in story.kinds]
    assert "together" not in story.by_kind
    assert not told(selection=selection_with(entry_of("it", "champion", maths=10))).by_kind
