"""The picture of fitness by generation."""

from dataclasses import replace
from xml.etree import ElementTree as ET

from stages.report.charts.fitness_chart import fitness_svg
from tests.report.conftest import raced_rows, told


def test_chart_is_svg_without_a_date() -> None:
    """The picture parses as SVG and carries no date and no version."""
    text = fitness_svg(told())
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314  our own output
    assert "<dc:date>" not in text
    assert "Matplotlib" not in text


def test_chart_is_a_function_of_the_story() -> None:
    """Equal stories give equal bytes; races have a picture of their own."""
    story = told(raced_rows(0.4, 0.6, 0.5))
    assert fitness_svg(story) == fitness_svg(told(raced_rows(0.4, 0.6, 0.5)))
    assert fitness_svg(story) != fitness_svg(replace(story, is_raced=True))


def test_chart_leaves_a_gap_where_a_generation_failed() -> None:
    """A race that nobody ended has no winner, and a generation that failed no mean."""
    rows = raced_rows(0.4, 0.6)
    failed = replace(rows[1], name="g01-c00", status="failed", fitness=None, fitness_stderr=None)
    rows = [rows[0], replace(failed, scores={}), rows[2], rows[4]]
    for is_raced in (True, False):
        assert "<svg" in fitness_svg(told(rows, is_raced=is_raced))
