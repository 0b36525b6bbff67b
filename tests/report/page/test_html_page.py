"""The page holds the story, its charts and the scripts that show them."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from stages.lineage.selection import Selection
from stages.report.page.html_page import json_for_script, page_scripts, render_page
from stages.report.search_story import search_story
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
    return render_page(story.search, story, title=TITLE)


@pytest.fixture(scope="module")
def usual_page() -> str:
    """The page of the usual story."""
    return page_of(told())


def test_page_escapes_what_comes_from_outside() -> None:
    """A script in a title, a model's name or an error is text on the page."""
    page = page_of(told(selection=selection_of("<script>alert('name')</script>")))
    markup = page[: page.index("<script")] + page[page.rindex("</script>") :]
    for text in ("title", "name", "error"):
        assert f"&lt;script&gt;alert(&#39;{text}&#39;)" in markup
        assert f"<script>alert('{text}')" not in page
    assert not any(mark in markup for mark in ("<link", "<img", "src=", "url(http"))
    assert 3 == page.count("<script") == page.count("</script>")


def test_data_in_a_script_cannot_end_it() -> None:
    """What could end the element, open a comment or break a string is written by its number."""
    texts = {"</script><!--": "&\u2028'\""}
    written = json_for_script(texts)
    assert not any(sign in written for sign in "<>&\u2028")
    assert texts == json.loads(written)


def test_page_allows_its_own_scripts_and_nothing_else(usual_page: str) -> None:
    """The browser may fetch nothing, and run no script but the two whose hashes it has."""
    page = usual_page
    policy = page[page.index("default-src 'none'; script-src") :].split('"')[0]
    allowed = re.findall("'sha256-([^']+)'", policy)
    own = hashlib.sha256(page_scripts().encode()).digest()
    assert 2 == len(allowed)
    assert base64.b64encode(own).decode() == allowed[1]
    assert f'<script type="module">{page_scripts()}</script>' in page
    assert "unsafe-eval" not in policy


def test_page_holds_what_a_reader_needs(usual_page: str) -> None:
    """Headline, models, charts, genes, failures, cost and the hashes to rebuild from."""
    page = usual_page
    assert "g02-c03 scores 0.900" in page
    for chart in ("leads", "fitness", "genes", "slices", "family", "shortlist", "cost"):
        assert f'data-chart="{chart}"' in page
    assert "weight.p0" in page
    assert "g01-c02" in page
    assert rows_of()[11].id in page
    assert "13 candidates, 4 distinct recipes, 1 failed." in page
    assert "Items asked for: 480 by the search, 0 to choose from the shortlist, 200 on" in page


def test_page_writes_thousands_so_that_they_can_be_read() -> None:
    """Counts have commas, as the axes of the charts do."""
    cost = replace(told().cost, search=39000)
    assert "Items asked for: 39,000 by the search" in page_of(replace(told(), cost=cost))


def test_page_speaks_of_the_mean_where_there_is_one(usual_page: str) -> None:
    """A search that settles on no centre has no such candidate."""
    for page, is_said in ((usual_page, True), (page_of(told(rows_of()[:-1])), False)):
        assert is_said == ("<code>mean</code> is the centre" in page)


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
    tasks = page[page.index("<h3>Task by task</h3>") : page.index("<h3>Is it luck?</h3>")]
    better, worse = tasks.split("<tr>")[2:]
    assert better.startswith("<td>maths</td>")
    assert "<td>counts</td>" in better
    assert '<td class="win">better</td>' in better
    assert worse.startswith("<td>french</td>")
    assert "<td>speaks</td>" in worse
    assert '<td class="loss">worse</td>' in worse


def test_page_begins_with_the_score_and_a_list_of_gains_and_losses() -> None:
    """Above the sections, an item for each finding; none where nothing was compared."""
    story = told()
    start = page_of(story).split("<nav")[0]
    assert f'<p class="headline">{story.headline}</p>' in start
    assert [f"<li>{finding}</li>" for finding in story.findings] == re.findall(r"<li>.*", start)
    alone = told(selection=selection_with(entry_of("it", "champion", maths=10)))
    assert "<ul>" not in page_of(alone).split("<nav")[0]


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


def test_page_of_a_run_under_way_says_that_nothing_is_selected() -> None:
    """It has candidates and charts of the search, and no verdict; at first it has no candidate."""
    rows = rows_of()[:8]
    page = render_page(search_story(rows, is_raced=False), None, title=TITLE, num_generations=3)
    assert "The run is under way: 2 of 3 generations done, 8 candidates, 1 failed." in page
    alone = render_page(search_story(rows[:1], is_raced=False), None, title=TITLE)
    assert "The run is under way: 1 generation done, 1 candidate, 0 failed." in alone
    assert "Nothing is selected yet" in page
    assert 'data-chart="fitness"' in page
    assert not any(part in page for part in ('id="verdict"', 'id="items"', 'id="rebuild"'))
    empty = render_page(search_story([], is_raced=False), None, title=TITLE)
    assert "0 generations done, 0 candidates" in empty
    assert "data-chart=" not in empty[: empty.index("<script")]


def test_page_says_which_rule_ended_the_search(tmp_path: Path) -> None:
    """The sentence passes through selection.json to the page; without a rule neither has one."""
    for ending in (None, "stopped after generation 2: no gain in 2 generations"):
        replace(selection_of(), ending=ending).write(tmp_path / "selection.json")
        page = page_of(told(selection=Selection.read(tmp_path / "selection.json")))
        assert (ending is not None) == ("The search stopped after generation 2: no gain" in page)
        text = (tmp_path / "selection.json").read_text(encoding="utf-8")
        assert (ending is not None) == ('"ending"' in text)
