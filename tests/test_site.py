"""The site of the docs: it builds without a warning, and its pages ask no other host."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOADED = re.compile(
    r"<(?:script|img|iframe|source)[^>]*\ssrc=\"(?:https?:)?//"
    r"|<link[^>]*rel=\"(?:stylesheet|preconnect|preload)\"[^>]*href=\"(?:https?:)?//|@import\s+[\"']?(?:url\()?[\"']?https?:|url\([\"']?https?:"
)


def test_what_a_page_loads_is_told_from_where_it_leads() -> None:
    """A script, a style or a font of another host is seen; a link that a reader clicks is not."""
    loads = (
        '<script defer src="https://cdn.example/x.js">',
        '<link rel="stylesheet" type="text/css" href="//fonts.example/a.css">',
        "@import url('https://fonts.example/a.css')",
        "src: url(https://fonts.example/a.woff2)",
    )
    leads = (
        '<a href="https://example.org">',
        '<script src="_static/x.js">',
        "url(data:image/svg)",
    )

    assert all(LOADED.search(text) for text in loads)
    assert not any(LOADED.search(text) for text in leads)


@pytest.mark.slow
def test_site_builds_and_asks_no_other_host(tmp_path: Path) -> None:
    """A warning, such as a broken link or a page in no menu, is an error."""
    site = tmp_path / "site"
    options = ["-q", "-W", "--keep-going", "-b", "html", "-d", str(tmp_path / "pages")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(ROOT / "docs"), str(site)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    texts = {
        path.relative_to(site).as_posix(): path.read_text(encoding="utf-8")
        for kind in ("html", "css")
        for path in site.rglob(f"*.{kind}")
    }

    assert "germline merge" in texts["command-options.html"]
    assert "germline.load_lineage" in texts["python-names.html"]
    assert [name for name, text in texts.items() if LOADED.search(text)] == []
