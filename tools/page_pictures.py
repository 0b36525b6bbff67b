"""Take the pictures of the page that the README shows; small files, from the last run's page."""

from pathlib import Path

from playwright.sync_api import Page

from tests.report.page.browsing import chromium, opened

PAGE = Path("reports/index.html").absolute()
IMAGES = Path("docs/images")
PICTURES = {"page-verdict": "#verdict .chart", "page-search": "#search .chart"}
SECTIONS = {"page-layers": "#layers", "page-family": "#family"}
WHERE_THERE_ARE = {"page-paths": "#paths", "page-scan": "#scan"}
_WIDTH = 1000


def take(page: Page) -> None:
    """Write a picture of each part that the page has; some runs have no paths."""
    for name, selector in {**PICTURES, **SECTIONS, **WHERE_THERE_ARE}.items():
        if name in WHERE_THERE_ARE and not page.locator(selector).count():
            continue
        page.locator(selector).first.screenshot(
            path=IMAGES / f"{name}.png", style="nav { display: none }"
        )


def main() -> None:
    """Open the page, take the pictures and say how large they are."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with chromium() as browser, opened(browser, PAGE, width=_WIDTH) as shown:
        take(shown.page)
    total = sum(path.stat().st_size for path in IMAGES.glob("page-*.png"))
    print(f"{IMAGES}: {total / 1000:.0f} kB")


if __name__ == "__main__":
    main()
