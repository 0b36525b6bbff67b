"""Pictures of paths and of what layers are made of, in a real Chromium."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.report.conftest import told
from tests.report.page.browsing import NEEDS_CHROMIUM, opened, written
from tests.report.paths_run import GAINS, path_story, scan_rows
from tests.select.space.layers.paths import paths

pytestmark = NEEDS_CHROMIUM


@pytest.mark.parametrize(("width", "is_dark"), [(400, True), (1280, False), (1920, True)])
def test_paths_and_scans_are_pictured(
    browser: Browser, tmp_path: Path, width: int, is_dark: bool
) -> None:
    """Paths stand in pictures and in words, a scan in a map; an empty chart is hidden."""
    with opened(browser, written(tmp_path, path_story()), width=width, is_dark=is_dark) as shown:
        page = shown.page
        assert width == page.evaluate("document.documentElement.scrollWidth")
        picture = page.locator("[data-chart=path_0] svg")
        words = "layers 0 to 3: merge 0 to 3; 4 to 5: b 4 to 5, MLP 2"
        host = page.locator("[data-chart=path_0]")
        expect(host).to_have_attribute("aria-label", f"The path of g00-c00: {words}.")
        expect(page.locator("#paths")).to_contain_text(words)
        box = picture.bounding_box()
        gains = picture.locator("text", has_text="att 1.00, MLP 2.00").last.bounding_box()
        assert box is not None
        assert gains is not None
        assert gains["x"] + gains["width"] <= box["x"] + box["width"]
        weights = page.locator("[data-weights-of]")
        expect(weights).to_contain_text("The weights of merge, which the path runs through.")
        expect(weights).to_contain_text('Where the path says "merge 4", see layer 4 here:')
        expect(page.locator("[data-chart=layers] svg")).to_contain_text("0.25")
        table = page.locator("[data-made-of]")
        expect(table).to_be_hidden()
        page.get_by_text("The same as a table").click()
        expect(table.locator("tbody tr", has_text="weight: a 0.25")).to_contain_text("0 to 1")

        page.locator("[data-chart=scan_splices] .mark-text.role-mark text").last.click()
        page.keyboard.press("Escape")
        expect(page.locator("#layers [data-picked-name]")).to_have_text("s00-c11")
        words = "layers 0 to 4: b 0 to 4; 5: a 5"
        expect(page.locator("[data-path-words]")).to_have_text(words)
        host = page.locator("[data-chart=path]")
        expect(host).to_have_attribute("aria-label", f"The path of s00-c11: {words}.")
        expect(page.locator("[data-chart=layers]")).to_be_hidden()
        expect(weights).to_have_text("It copies layers: no weights of a merge are in it.")
        page.locator("#candidate-table").get_by_text("s00-c00").click()
        expect(page.locator("[data-chart=path]")).to_be_hidden()
        expect(page.locator("[data-path-words]")).to_have_text(
            "all layers of a, each once, in their order"
        )
        assert ([], 1) == (shown.said, len(shown.requests))


def test_a_picture_of_a_path_has_no_row_too_many(browser: Browser, tmp_path: Path) -> None:
    """Whichever candidate is picked, its layers are the rows, and each is as tall as before."""
    story = told(scan_rows(paths("blocks", parents=1, **GAINS)))
    with opened(browser, written(tmp_path, story)) as shown:
        heights: set[int] = set()
        labels = shown.page.locator("[data-chart=path] .mark-text.role-axis-label").last
        for name, num_layers in (("s00-c01", 7), ("s00-c19", 10), ("s00-c02", 7)):
            shown.page.goto(f"{shown.page.url.split('#')[0]}#candidate={name}")
            expect(shown.page.locator("#layers [data-picked-name]")).to_have_text(name)
            expect(labels.locator("text").last).to_have_text(str(num_layers - 1))
            box = shown.page.locator("[data-chart=path] .mark-rect.role-mark path").first
            size = box.bounding_box()
            assert size is not None
            heights.add(round(size["height"]))
        assert 1 == len(heights), heights
