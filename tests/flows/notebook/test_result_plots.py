"""The charts that a notebook shows of a run."""

from flows.notebook.result_plots import plots_of
from tests.report.conftest import rows_of, selection_of, told
from tests.report.paths_run import path_story


def test_charts_have_the_data_of_the_page() -> None:
    """Each chart that needs no click is valid Vega-Lite, and holds the tables that it reads."""
    plots = plots_of(told(rows_of(), selection_of()))
    fitness = plots["fitness"].chart.to_dict()
    candidates = fitness["datasets"]["candidates"]

    assert {"fitness", "cost", "leads", "shortlist", "slices"} <= set(plots)
    assert not {"family", "layers", "path"} & set(plots)
    assert len(candidates) == len([row for row in rows_of() if row.fitness is not None])
    assert {"name", "ended", "by_task", "values", "genes"} <= set(candidates[0])
    assert all("datasets" in plot.chart.to_dict() for plot in plots.values())
    assert fitness["width"] == 640


def test_a_notebook_shows_a_chart_as_a_picture() -> None:
    """It is an SVG without a script, in which the names of the axes stand."""
    picture = plots_of(told(rows_of(), selection_of()))["fitness"]._repr_svg_()

    assert picture.startswith("<svg")
    assert "generation" in picture
    assert "<script" not in picture
    assert 'fill="#ffffff"' in picture  # its letters are black, and the page may be dark


def test_axes_name_what_a_menu_of_the_page_says() -> None:
    """A picture has no menu: which task is across, which up, and which gene?"""
    plots = plots_of(told(rows_of(), selection_of()))
    two = plots["tradeoff"].spec["encoding"]
    assert ["maths", "french"] == [two[axis]["title"] for axis in "xy"]
    assert "weight.p0" == plots["slices"].spec["encoding"]["x"]["title"]
    assert ">maths</text>" in plots["tradeoff"]._repr_svg_()


def test_the_scan_and_the_paths_are_there() -> None:
    """They are of the run, not of a candidate that was clicked."""
    assert {"scan_splices", "path_0"} <= set(plots_of(path_story()))
