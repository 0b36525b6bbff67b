"""Charts are functions of what they are given, and take their data from the page."""

import json
from collections.abc import Callable
from typing import Any

import altair as alt
import pytest
from jsonschema import ValidationError

from stages.report.charts.cost_chart import cost_chart
from stages.report.charts.family_chart import family_chart
from stages.report.charts.fitness_chart import fitness_chart
from stages.report.charts.gene_charts import importance_chart, parallel_chart, slice_chart
from stages.report.charts.layers.layer_charts import layer_chart
from stages.report.charts.layers.path_chart import PathExtent, path_chart
from stages.report.charts.layers.scan_charts import repeat_map, splice_map
from stages.report.charts.lead_chart import lead_chart
from stages.report.charts.race_chart import race_chart
from stages.report.charts.shortlist_chart import shortlist_chart
from stages.report.charts.tradeoff_chart import tradeoff_chart

EXTENT = PathExtent(8, 6, ("math", "words"), ("math", "words"), has_gains=True)
CHARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "cost": lambda: cost_chart(3),
    "family": lambda: family_chart(12),
    "fitness": lambda: fitness_chart(is_raced=False),
    "genes": lambda: parallel_chart(4, 100),
    "importance": lambda: importance_chart(4),
    "layers": lambda: layer_chart(3),
    "leads": lambda: lead_chart(5),
    "path": lambda: path_chart("hops", EXTENT, "A path of eight layers."),
    "races": race_chart,
    "raced fitness": lambda: fitness_chart(is_raced=True),
    "repeats": lambda: repeat_map(0, "math", 4, (1, 4), (0.0, 0.7)),
    "shortlist": shortlist_chart,
    "splices": lambda: splice_map(6, 5, (0.0, 0.7)),
    "slices": lambda: slice_chart(["a.b", "c"]),
    "tradeoff": lambda: tradeoff_chart(["maths", "french"]),
}


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_the_same_each_time(name: str) -> None:
    """No number of a counter and no random name is in it: equal inputs give equal bytes."""
    assert json.dumps(CHARTS[name]()) == json.dumps(CHARTS[name]())


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_what_vega_lite_knows(name: str) -> None:
    """Each word and value is in Vega-Lite's schema; a run does not take the time to check."""
    spec = CHARTS[name]()
    alt.Chart.from_dict(spec)
    with pytest.raises(ValidationError):
        alt.Chart.from_dict(spec | {"height": "tall"})


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_names_its_data_and_holds_none(name: str) -> None:
    """The page has each datum once; and the chart says in words what it shows."""
    spec = CHARTS[name]()
    text = json.dumps(spec)
    assert '"data": {"name": ' in text
    assert not any(word in text for word in ('"values": {"', '"datasets"', '"url"'))
    assert 10 < len(spec["description"])


def test_what_the_reader_chooses_from_is_what_there_is() -> None:
    """Menus list the genes and the tasks; a slider ends at the number of lines."""
    (gene, _) = CHARTS["slices"]()["params"]
    assert ["a.b", "c"] == gene["bind"]["options"]
    across, up, _ = CHARTS["tradeoff"]()["params"]
    assert ("maths", "french") == (across["value"], up["value"])
    assert 100 == CHARTS["genes"]()["params"][0]["bind"]["max"]


def test_a_path_has_a_row_for_each_layer_and_says_itself() -> None:
    """Rows are tall enough for numbers where there is room; gains are left out where all are 1."""
    shallow = CHARTS["path"]()
    assert "A path of eight layers." == shallow["description"]
    assert 8 * 22 == shallow["height"]
    assert 4 == len(shallow["layer"])  # the way, the fields, their numbers, the gains
    deep = path_chart("hops", PathExtent(400, 80, ("math",), ("math",), has_gains=True), "Deep.")
    assert 2 == len(deep["layer"])
    assert 900 < deep["height"] < 3000
    plain = path_chart("hops", PathExtent(8, 6, ("math",), ("math",), has_gains=False), "Plain.")
    assert 3 == len(plain["layer"])
    assert "gains" not in json.dumps(plain)


def test_races_are_not_joined_by_lines() -> None:
    """Only a search on the same items has a best so far."""
    plain, raced = (json.dumps(fitness_chart(is_raced=is_raced)) for is_raced in (False, True))
    assert (True, False) == tuple("best so far" in chart for chart in (plain, raced))
    assert (False, True) == tuple("winner" in chart for chart in (plain, raced))
