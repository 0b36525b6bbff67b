"""The search, finished or under way, as plain data."""

from stages.report.search_story import search_story
from tests.report.conftest import ERROR, raced_rows, rows_of


def test_search_story_holds_the_candidates() -> None:
    """Failures, counts, tasks and the candidates that no other beats are those of the lineage."""
    story = search_story(rows_of(), is_raced=False)
    assert [("g01-c02", ERROR)] == [(failed.name, failed.error) for failed in story.failed]
    assert (13, 4, 12 * 40) == (story.num_candidates, story.num_recipes, story.num_items)
    assert ("french", "maths") == story.tasks
    assert ("g02-c03",) == story.unbeaten
    assert 12 == len(story.ended)
    assert ["weight.p0"] == [effect.gene for effect in story.gene_effects]
    assert tuple(rows_of()) == story.lineage


def test_races_leave_nothing_to_compare() -> None:
    """Candidates of two races answered other items: no front and no effects of genes."""
    story = search_story(raced_rows(0.4, 0.6), is_raced=True)
    assert ((), ()) == (story.unbeaten, story.gene_effects)
    assert {"g00-c00", "g01-c00", "mean"} == story.ended


def test_a_search_that_has_just_begun_has_a_story() -> None:
    """Without rows there is nothing to tell, and nothing fails."""
    story = search_story([], is_raced=False)
    assert (0, 0, (), ()) == (
        story.num_candidates,
        story.num_layers,
        story.tasks,
        story.generations,
    )
