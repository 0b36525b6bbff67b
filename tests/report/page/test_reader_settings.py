"""The page as it is printed, and in the colours that a reader's system forces."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.report.conftest import told
from tests.report.page.browsing import NEEDS_CHROMIUM, opened, written
from tests.report.page.large_run import large_story

pytestmark = NEEDS_CHROMIUM


def test_a_printed_chart_is_as_wide_as_the_paper(browser: Browser, tmp_path: Path) -> None:
    """It was drawn for the window, which is wider."""
    with opened(browser, written(tmp_path, told())) as shown:
        shown.page.emulate_media(media="print")
        paper = shown.page.evaluate("document.body.style.width = '600px'; 600")
        for chart in shown.page.locator("[data-chart] svg").all():
            assert chart.evaluate("node => node.getBoundingClientRect().width") <= paper


def test_a_print_says_how_many_rows_a_table_has(browser: Browser, tmp_path: Path) -> None:
    """Only the rows in sight are printed; the controls are not."""
    with opened(browser, written(tmp_path, large_story(60))) as shown:
        shown.page.emulate_media(media="print")
        table = shown.page.locator("#candidate-table")
        expect(table.get_by_role("status")).to_be_visible()
        expect(table.get_by_role("status")).to_have_text("1 to 25 of 60")
        expect(table.get_by_role("button", name="next")).to_be_hidden()


def test_what_is_picked_is_seen_in_forced_colours(browser: Browser, tmp_path: Path) -> None:
    """Shadows and backgrounds are gone there: the borders say it."""
    with opened(browser, written(tmp_path, large_story(60))) as shown:
        shown.page.emulate_media(forced_colors="active")
        for wanted, width in (("true", "3px"), ("false", "1px")):
            button = shown.page.locator(f"button[aria-pressed={wanted}]").first
            expect(button).to_have_css("border-top-width", width)
        marked = shown.page.locator("#candidate-table tr.marked td").first
        expect(marked).to_have_css("border-left-width", "5px")
