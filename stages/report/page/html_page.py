"""The page as one HTML file: what was found in words and tables, then data and scripts."""

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stages.hashing import canonical_json
from stages.lineage.paired_tests import p_text
from stages.report.page.chart_specs import chart_specs
from stages.report.page.page_data import page_data
from stages.report.page.vega_bundle import vega_bundle
from stages.report.report_tables import OUTCOMES
from stages.report.search_story import SearchStory
from stages.report.story import Story

_FOLDER = Path(__file__).parent
_SCRIPTS = ("candidates.js", "tables.js", "charts.js", "dialogs.js", "items.js", "start.js")
# What ends a script element or a comment in one, and what is not legal in JavaScript's strings.
_UNSAFE_IN_SCRIPTS = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def render_page(
    search: SearchStory,
    story: Story | None,
    *,
    title: str,
    confidence: float = 0.95,
    num_generations: int | None = None,
    library: str | None = None,
) -> str:
    """Return the HTML page of a search, and of the story it belongs to once the run is over.

    Every text from outside is escaped. Without a story the run is under way, and
    ``num_generations`` is how many it will have. The browser is forbidden every request, and
    every script but the page's own. ``library`` is ``vega_bundle()``, from one who has it.
    """
    recipe = None if story is None else _pretty(story.champion.recipe)
    specs = chart_specs(search, story)
    library, scripts = library or vega_bundle(), page_scripts()
    template = _environment().get_template("page.html.j2")
    return template.render(
        title=title,
        search=search,
        story=story,
        percent=f"{100 * confidence:g}",
        num_generations=num_generations,
        charts=specs,
        outcomes=OUTCOMES,
        recipe=recipe,
        styles=_own((_FOLDER / "page.css").read_text(encoding="utf-8")),
        data=_own(json_for_script({**page_data(search, story), "charts": specs})),
        library=_own(library),
        scripts=_own(scripts),
        script_hashes=_own(f"{_csp_hash(library)} {_csp_hash(scripts)}"),
    )


def json_for_script(value: Any) -> str:
    """Return ``value`` as JSON that is safe inside a script element, whatever its texts hold."""
    return canonical_json(value).translate(_UNSAFE_IN_SCRIPTS)


@cache
def page_scripts() -> str:
    """Return the page's own scripts, in the order in which they need each other."""
    return "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS)


@cache  # it compiles the templates once for a process
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = _number
    environment.filters["count"] = "{:,}".format
    environment.filters["p_value"] = _p_value
    return environment


def _csp_hash(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _own(text: str) -> Markup:
    return Markup(text)  # noqa: S704  ours or a library's, or escaped by ``json_for_script``


def _pretty(recipe: Any) -> str:
    return json.dumps(recipe, indent=2, sort_keys=True, ensure_ascii=False)


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _p_value(value: float, num_tests: int = 1) -> str:
    return p_text(value, num_tests).removeprefix("= ")
