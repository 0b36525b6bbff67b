"""The story holds all that the report says."""

from dataclasses import replace

from stages.report.search_story import search_story
from tests.report.conftest import entry_of, rows_of, selection_of, selection_with, told


def test_story_holds_the_run() -> None:
    """Models, shortlist, genes and counts are those of the lineage and the selection."""
    story = told()
    selection = selection_of()
    assert "g02-c03" == story.champion.name == story.models[0].name
    assert rows_of()[11].id == story.champion.id
    assert (("weight.p0", 0.3),) == story.champion.genes
    assert 0.48 == story.champion.expected_fitness
    assert ("maths", "french") == story.tasks
    assert selection.shortlist == story.shortlist
    assert 4 == story.models[0].num_evaluations
    assert ["parent", "baseline"] == [rival.kind for rival in story.rivals]
    assert ["p0", "p0"] == [rival.name for rival in story.task_rivals]
    assert 7 == story.seed
    assert search_story(rows_of(), is_raced=False, order=("maths", "french")) == story.search


def test_tasks_are_in_one_order_everywhere() -> None:
    """Search items are told in the order of the test split; a search under way goes by name."""
    assert ("maths", "french") == told().search.tasks
    assert ("french", "maths") == search_story(rows_of(), is_raced=False).tasks
    assert ("french", "maths") == search_story(rows_of(), is_raced=False, order=("other",)).tasks


def test_story_counts_the_pairs_of_the_shortlist() -> None:
    """p-values of the shortlist were multiplied by the pairs of candidates that were scored."""
    first, failed = selection_of().shortlist
    scored = replace(failed, validation_fitness=0.4, validation_stderr=0.1, p_value=1.0)
    shortlist = (first, failed, *(replace(scored, name=f"c{i}") for i in range(3)))
    assert 6 == told(selection=replace(selection_of(), shortlist=shortlist)).num_pairs


def test_equal_runs_have_equal_stories() -> None:
    """A story is a value."""
    assert told() == told()


def test_story_of_a_champion_alone() -> None:
    """Without parents and baselines there are no rivals."""
    story = told(selection=selection_with(entry_of("it", "champion", maths=10)))
    assert ((), ()) == (story.rivals, story.task_rivals)
