"""A real Chromium without a network, and what its pages say, ask for and show."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from stages.report.page.html_page import render_page
from stages.report.story import Story

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
NEEDS_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]
EVIL = "<img src=x onerror=alert(2)>"
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)


@dataclass
class OpenPage:
    """A page with what its console said and what it asked for besides its own file."""

    page: Page
    said: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the machine's own Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS.split())
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser, path: Path, *, width: int = 1280, is_dark: bool = False
) -> Iterator[OpenPage]:
    """Open a page offline and wait until its charts are drawn."""
    context = browser.new_context(
        viewport=ViewportSize(width=width, height=900),
        color_scheme="dark" if is_dark else "light",
        offline=True,
    )
    context.set_default_timeout(10_000)
    shown = OpenPage(context.new_page())
    shown.page.on("console", lambda message: shown.said.append(message.text))
    shown.page.on("pageerror", lambda error: shown.said.append(str(error)))
    shown.page.on("request", lambda request: shown.requests.append(request.url))
    shown.page.goto(path.as_uri())
    shown.page.wait_for_selector("html[data-charts=drawn]", timeout=120_000)
    yield shown
    context.close()


def written(folder: Path, story: Story, title: str = f"Title {EVIL}") -> Path:
    """Write the page of a story."""
    path = folder / "index.html"
    path.write_text(render_page(story.search, story, title=title), encoding="utf-8")
    return path
