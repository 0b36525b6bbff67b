"""The page: everything a reader needs in one file, without scripts or links to other files."""

import json
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stages.lineage.paired_tests import p_text
from stages.report.report_tables import OUTCOMES
from stages.report.story import Story

_FOLDER = Path(__file__).parent


def render_page(story: Story, svg: str, *, title: str) -> str:
    """Return the HTML page of a story and its chart; every text from outside is escaped."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = _number
    environment.filters["p_value"] = _p_value
    recipe = json.dumps(story.champion.recipe, indent=2, sort_keys=True, ensure_ascii=False)
    return environment.get_template("page.html.j2").render(
        title=title,
        story=story,
        outcomes=OUTCOMES,
        figure=Markup(svg[svg.index("<svg") :]),  # noqa: S704  matplotlib's own, no outside text
        recipe=recipe,
    )


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _p_value(value: float, num_tests: int = 1) -> str:
    return p_text(value, num_tests).removeprefix("= ")
