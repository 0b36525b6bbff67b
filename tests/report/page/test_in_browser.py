"""The page in a real Chromium: drawn, hovered, filtered, clicked, and silent on the network."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from stages.lineage.records.question_answers import AskedItem, QuestionAnswers
from stages.report.page.html_page import render_page
from stages.report.story import Story
from tests.report.conftest import ERROR, raced_rows, rows_of, selection_of, told
from tests.report.page.browsing import EVIL, NEEDS_CHROMIUM, OpenPage, opened, written
from tests.report.page.large_run import large_story
from tests.report.paths_run import path_story

pytestmark = NEEDS_CHROMIUM
QUESTION = AskedItem("maths", "i3", f"1 + 1 = {EVIL}", "2", {"g02-c03": "2", "p1": EVIL})


@pytest.fixture
def small(browser: Browser, tmp_path: Path) -> Iterator[OpenPage]:
    """Open the page of the small run, whose names and answers hold HTML."""
    answers = QuestionAnswers({("maths", "i3"): QUESTION})
    story = told(selection=selection_of("<script>alert('name')</script>"), answers=answers)
    with opened(browser, written(tmp_path, story)) as shown:
        yield shown
        assert [] == shown.said
        assert 1 == len(shown.requests), shown.requests


def rows_shown(page: Page, table: str) -> list[str]:
    """Return the first cell of each row of a table."""
    return page.locator(f"#{table} tbody tr td:first-child").all_inner_texts()


def test_charts_are_drawn_and_the_page_asks_for_nothing(small: OpenPage) -> None:
    """Every chart is a picture; no name's script runs, no error is logged, nothing fetched."""
    charts = small.page.locator("[data-chart]")
    assert 9 == charts.count()
    for number in range(charts.count()):
        expect(charts.nth(number).locator("svg")).to_have_count(1)
    assert f"Title {EVIL}" == small.page.title()
    assert 0 == small.page.locator("img").count()


def test_hovering_tells_a_candidate(small: OpenPage) -> None:
    """Name, fitness with its error, and genes appear next to the pointer."""
    small.page.locator("[data-chart=fitness] .mark-symbol.role-mark path").nth(10).hover()
    tip = small.page.locator("#vg-tooltip-element")
    expect(tip).to_be_visible()
    for text in ("candidate", "g02-c03", "0.450", "standard error", "weight.p0 0.3000"):
        expect(tip).to_contain_text(text)


def test_clicking_a_point_opens_its_candidate(small: OpenPage) -> None:
    """Recipe, ancestors, scores and the command are in the dialog; Escape closes it."""
    small.page.locator("[data-chart=fitness] .mark-symbol.role-mark path").nth(10).click()
    dialog = small.page.locator("dialog")
    expect(dialog).to_be_visible()
    for text in (
        "g02-c03",
        "germline materialize g02-c03 OUT",
        "number 2 of 12",
        "weight: p0 0.3",
    ):
        expect(dialog).to_contain_text(text)
    assert small.page.url.endswith("#candidate=g02-c03")
    small.page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    assert "null" not in dialog.inner_text()


def test_the_table_sorts_and_filters(small: OpenPage) -> None:
    """A heading sorts, again the other way; the filter takes words and comparisons."""
    page = small.page
    assert ["mean", "g02-c03"] == rows_shown(page, "candidate-table")[:2]
    page.get_by_role("button", name="candidate", exact=True).click()
    assert ["g00-c00", "g00-c01"] == rows_shown(page, "candidate-table")[:2]
    page.get_by_role("button", name="candidate", exact=True).click()
    assert "mean" == rows_shown(page, "candidate-table")[0]
    search = page.get_by_role("searchbox", name="filter candidates")
    for text, names in (
        ("g01", ["g01-c03", "g01-c02", "g01-c01", "g01-c00"]),
        ("fitness>0.35 generation=2 fitness<=0.45", ["g02-c03", "g02-c02"]),
        ("failed", ["g01-c02"]),
        ("no such thing", []),
    ):
        search.fill(text)
        assert names == rows_shown(page, "candidate-table")
    expect(page.locator("#candidate-table [role=status]")).to_have_text("none of 13")


def test_the_keyboard_reaches_a_candidate(small: OpenPage) -> None:
    """Tab and Enter open a row's candidate, and an ancestor or child from there."""
    page = small.page
    page.get_by_role("searchbox", name="filter candidates").fill("g02-c02")
    page.locator("#candidate-table tbody button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog h2")).to_have_text("g02-c02")
    expect(page.locator("dialog")).to_contain_text("how they differ from g02-c03")
    expect(page.locator("dialog")).to_contain_text("-0.1000")
    heads = page.locator("dialog h3").all_inner_texts()
    assert heads.index("Genes, and how they differ from g02-c03") < heads.index(
        "What it is made of"
    )


def test_items_lost_against_a_baseline_show_its_answers(small: OpenPage) -> None:
    """The columns of all models come with a number of a model that is not a parent."""
    every = small.page.get_by_role("checkbox", name="all models")
    small.page.get_by_label("items of maths gained against p1").click()
    expect(every).not_to_be_checked()
    small.page.get_by_label("items of maths gained against uniform").click()
    expect(every).to_be_checked()
    expect(small.page.locator("#item-table thead")).to_contain_text("uniform")


def test_failures_of_one_kind_are_one_line(browser: Browser, tmp_path: Path) -> None:
    """With their number and a few of the candidates, which can be clicked."""
    with opened(browser, written(tmp_path, large_story(400))) as shown:
        table = shown.page.locator("table", has_text="such as")
        expect(table.locator("tbody tr")).to_have_count(1)
        assert ["10", ERROR] == table.locator("tbody td").all_inner_texts()[:2]
        assert 5 == table.locator("tbody button").count()
        table.locator("tbody button").last.click()
        expect(shown.page.locator("dialog")).to_contain_text("It failed and has no scores.")


def test_items_that_were_lost_are_found_with_their_words(small: OpenPage) -> None:
    """A number of the table of gains shows its items; an item shows question and answers."""
    page = small.page
    page.get_by_label("10 items of maths gained against p0").or_(
        page.get_by_label("14 items of maths gained against p1")
    ).first.click()
    expect(page.locator("#item-table [role=status]").first).to_contain_text("of 14, 40 in all")
    page.get_by_label("which items").select_option("all items")
    page.get_by_role("searchbox", name="filter items").fill("onerror")
    assert [QUESTION.prompt] == rows_shown(page, "item-table")
    page.locator("#item-table tbody button").click()
    expect(page.locator("dialog")).to_contain_text("Right answer: 2")
    expect(page.locator("dialog tbody tr", has_text="p1")).to_contain_text(EVIL)
    expect(page.locator("dialog tbody tr", has_text="uniform")).to_contain_text("not kept")
    assert 0 == page.locator("img").count()


def test_a_long_question_ends_before_the_next_column(browser: Browser, tmp_path: Path) -> None:
    """On a telephone it is cut with an ellipsis; nothing of it touches the task."""
    asked = replace(QUESTION, prompt="how much is one plus two " * 9)
    path = written(tmp_path, told(answers=QuestionAnswers({("maths", "i3"): asked})))
    with opened(browser, path, width=400) as shown:
        search = shown.page.get_by_role("searchbox", name="filter items")
        search.fill("how much")
        cells = shown.page.locator("#item-table tbody td")
        task, link = cells.nth(1).bounding_box(), cells.first.locator("button").bounding_box()
        assert task
        assert link
        assert link["x"] + link["width"] <= task["x"] - 4


def test_a_link_names_a_candidate(browser: Browser, tmp_path: Path) -> None:
    """The address that a click leaves opens the same candidate again."""
    path = written(tmp_path, told())
    with opened(browser, path) as shown:
        shown.page.goto(f"{path.as_uri()}#candidate=g01-c02")
        expect(shown.page.locator("dialog h2")).to_have_text("g01-c02")
        expect(shown.page.locator("dialog")).to_contain_text("It failed and has no scores.")


def labels_that_repeat(page: Page) -> object:
    """Return each axis and legend on the page that says one label twice, with its labels."""
    return page.evaluate(
        """() => [...document.querySelectorAll("[data-chart]")].flatMap((host) =>
        [...host.querySelectorAll(".role-axis-label, .role-legend-label")].map((labels) => [
          host.dataset.chart,
          [...labels.querySelectorAll("text")].filter((one) => one.getAttribute("opacity") !== "0")
            .map((one) => one.textContent).filter(Boolean),
        ]).filter(([, texts]) => new Set(texts).size < texts.length))"""
    )


def test_no_axis_repeats_a_label(browser: Browser, tmp_path: Path) -> None:
    """Of few generations, a scan, equal scores, and when zoomed in far."""
    equal = [replace(row, fitness=row.fitness and 0.5) for row in rows_of()]
    for story in (told(), told(equal), path_story(), large_story(10)):
        with opened(browser, written(tmp_path, story), width=400) as shown:
            assert [] == labels_that_repeat(shown.page)
            generations = shown.page.locator("[data-chart=fitness] .role-axis-label").first
            texts = generations.locator("text").all_text_contents()
            assert all(text in ("", "scan") or text.isdecimal() for text in texts), texts
            shown.page.locator("[data-chart=fitness] svg").hover()
            shown.page.keyboard.down("Shift")
            for _ in range(12):
                shown.page.mouse.wheel(0, -100)
            shown.page.wait_for_timeout(200)
            assert [] == labels_that_repeat(shown.page)
            assert [] == shown.said


def test_races_and_runs_under_way_are_drawn(browser: Browser, tmp_path: Path) -> None:
    """A raced search, one without a story and one without a candidate log no error."""
    raced = told(raced_rows(0.4, 0.6, 0.5), is_raced=True)
    empty = told([]).search
    for search, story in ((raced.search, raced), (raced.search, None), (empty, None)):
        path = tmp_path / "index.html"
        path.write_text(render_page(search, story, title="T"), encoding="utf-8")
        with opened(browser, path) as shown:
            assert ([], 1) == (shown.said, len(shown.requests))


CONTRASTS = """chart => {
  const light = (colour) => {
    const parts = colour.match(/[0-9.]+/g).map((c) => c / 255);
    const linear = parts.map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05;
  };
  const fills = (marks) => [...document.querySelectorAll(`[data-chart=${chart}] ${marks}`)]
    .map((mark) => light(getComputedStyle(mark).fill));
  const texts = fills(".mark-text.role-mark text");
  return fills(".mark-rect.role-mark path").map((field, i) =>
    Math.max(field, texts[i]) / Math.min(field, texts[i]));
}"""


@pytest.mark.parametrize(
    ("story", "chart"), [(path_story(), "scan_splices"), (large_story(60), "layers")]
)
def test_numbers_are_read_on_their_fields(
    browser: Browser, tmp_path: Path, story: Story, chart: str
) -> None:
    """White or dark ink, whichever stands out more: 3.5 to 1 at the least, by WCAG's measure."""
    with opened(browser, written(tmp_path, story)) as shown:
        contrasts = shown.page.evaluate(CONTRASTS, chart)
    assert len(contrasts) > 3
    assert min(contrasts) > 3.5


@pytest.mark.parametrize(
    ("num_candidates", "width", "is_dark"),
    [
        (10, 400, True),
        (10, 768, False),
        (10, 1280, True),
        (10, 1920, False),
        (10_000, 400, False),
        (10_000, 1280, True),
    ],
)
def test_a_page_fits_its_window(
    browser: Browser, tmp_path: Path, num_candidates: int, width: int, is_dark: bool
) -> None:
    """From a telephone to a wide screen nothing but a table or a chart scrolls sideways."""
    path = written(tmp_path, large_story(num_candidates))
    with opened(browser, path, width=width, is_dark=is_dark) as shown:
        page = shown.page
        assert width == page.evaluate("document.documentElement.scrollWidth")
        page.get_by_role("searchbox", name="filter candidates").fill("fitness>0.5 g00")
        assert rows_shown(page, "candidate-table")
        page.locator("#candidate-table tbody button").first.click()
        expect(page.locator("dialog")).to_be_visible()
        assert ([], 1) == (shown.said, len(shown.requests))
