"""A page shows the charts that its story has something to say in."""

from dataclasses import replace

from stages.report.page.chart_specs import chart_specs
from stages.report.search_story import search_story
from tests.report.conftest import entry_of, raced_rows, rows_of, selection_with, told
from tests.report.paths_run import path_story

ALWAYS = {"cost", "family", "fitness", "genes", "slices"}


def test_a_finished_search_of_several_tasks_shows_trade_offs() -> None:
    """Figures of genes, unbeaten candidates, leads and the shortlist are there, races are not."""
    story = told()
    specs = chart_specs(story.search, story)
    assert {*ALWAYS, "importance", "tradeoff", "leads", "shortlist"} == set(specs)


def test_races_show_races() -> None:
    """Of races no fitnesses are compared, so there are no trade-offs and no effects of genes."""
    specs = chart_specs(search_story(raced_rows(0.4, 0.6), is_raced=True), None)
    assert {"cost", "family", "fitness", "races"} == set(specs)


def test_a_champion_alone_has_no_leads() -> None:
    """Without parents and baselines nothing is compared."""
    story = told(selection=selection_with(entry_of("it", "champion", maths=10)))
    assert "leads" not in chart_specs(story.search, story)


def test_a_search_without_a_score_has_no_charts() -> None:
    """Neither before the first generation nor where all of it failed."""
    failed = replace(rows_of()[0], status="failed", fitness=None, scores={}, error="no")
    for rows in ([], [failed]):
        assert {} == chart_specs(search_story(rows, is_raced=False), None)


def test_a_model_has_one_colour_in_all_pictures_of_paths() -> None:
    """Each picture's legend names the models that are in it, in the colours of the whole page."""
    story = path_story()
    specs = chart_specs(story.search, story)
    scales, legends = [], []
    for name in ("path", *(f"path_{number}" for number in range(len(story.paths)))):
        colour = specs[name]["layer"][1]["encoding"]["color"]
        scales.append(colour["scale"])
        legends.append(colour["legend"]["values"])
    assert {"a", "b", "merge"} <= set(scales[0]["domain"])
    assert all(scales[0] == scale for scale in scales)
    assert ["b", "merge"] == legends[1]
    assert ["a", "b"] == legends[-1]
