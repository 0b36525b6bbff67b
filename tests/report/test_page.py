"""The page holds the story and its chart."""

from dataclasses import replace

from stages.report.charts.fitness_chart import fitness_svg
from stages.report.page import render_page
from stages.report.story import Story
from tests.report.conftest import (
    entry_of,
    raced_rows,
    rows_of,
    selection_of,
    selection_with,
    told,
)

TITLE = "<script>alert('title')</script> & co"


def page_of(story: Story) -> str:
    """Return the page of a story."""
    return render_page(story, fitness_svg(story), title=TITLE)


def test_page_escapes_what_comes_from_outside() -> None:
    """A script in a title, a model's name or an error is text on the page."""
    page = page_of(told(selection=selection_of("<script>alert('name')</script>")))
    assert "<script" not in page
    for text in ("title", "name", "error"):
        assert f"&lt;script&gt;alert(&#39;{text}&#39;)" in page
    assert not any(mark in page for mark in ("<link", "<a ", "<img", "src=", "url(http"))


def test_page_holds_what_a_reader_needs() -> None:
    """Headline, models, figure, genes, failures, cost and the hashes to rebuild from."""
    page = page_of(told())
    assert "g02-c03 scores 0.900" in page
    assert 1 == page.count("<svg")
    assert "weight.p0" in page
    assert "g01-c02" in page
    assert rows_of()[11].id in page
    assert "13 candidates, 4 distinct recipes, 1 failed." in page
    assert "Items asked for: 480 by the search, 0 to choose from the shortlist, 200 on" in page


def test_page_says_where_the_champion_loses() -> None:
    """Each task has a line with its best parent, and a loss is marked."""
    story = told(
        selection=selection_with(
            entry_of("it", "champion", maths=18, french=10),
            entry_of("counts", "parent", maths=5, french=0),
            entry_of("speaks", "parent", maths=0, french=20),
        )
    )
    page = page_of(story)
    tasks = page[page.index("<h2>Task by task</h2>") : page.index("<h2>Test split</h2>")]
    better, worse = tasks.split("<tr class=")[1:]
    assert better.startswith('"win"><td>maths</td>')
    assert "<td>counts</td>" in better
    assert "<td>better</td>" in better
    assert worse.startswith('"loss"><td>french</td>')
    assert "<td>speaks</td>" in worse
    assert "<td>worse</td>" in worse


def test_page_of_a_champion_alone_has_no_tasks_to_lose() -> None:
    """Without parents that part is left out."""
    story = told(selection=selection_with(entry_of("it", "champion", maths=10)))
    assert "Task by task" not in page_of(story)


def test_page_shows_what_a_reader_of_the_scores_must_know() -> None:
    """Cautions of the selection stand on the page, escaped, and nothing where there are none."""
    for cautions, expected in (((), 0), (("Don't <search> on tests.",), 1)):
        page = page_of(told(selection=replace(selection_of(), cautions=cautions)))
        assert expected == page.count("Caution: Don&#39;t &lt;search&gt; on tests.")


def test_page_of_races_says_what_cannot_be_compared() -> None:
    """Only the page of races says that items are unlike."""
    rows = raced_rows(0.4, 0.6, 0.5)
    plain, raced = (page_of(told(rows, is_raced=is_raced)) for is_raced in (False, True))
    for said in ("a race on its own draw of search items", "items of each candidate's own"):
        assert (False, True) == (said in plain, said in raced)
