"""Whole searches by our own populations: rules that end them, reports, going on afterwards."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.flows.conftest import Project
from tests.slow_cases import with_slow

SEARCHES: dict[str, dict[str, Any]] = {
    "genetic": {"optimizer": "genetic", "stop": {"candidates": 10}},
    "nsga2": {"optimizer": "nsga2", "objectives": "separate", "stop": {"items": 100}},
}


@pytest.mark.parametrize("name", with_slow(SEARCHES, ["nsga2"]))
def test_a_rule_ends_a_search_that_goes_on_without_it(
    make_project: Callable[[str], Project], name: str
) -> None:
    """The run says so, as its page does; generations that were evaluated are looked up."""
    one = make_project(name)
    one.set({"evaluate": {"workers": 2}, "select": {"generations": 4, **SEARCHES[name]}})
    said = one.germline("evolve")
    assert "stopped after generation 1: 8 candidates" in said or "96 items" in said
    stopped = one.rows()
    assert 8 == len(stopped)
    assert any(len(row["ancestors"]) == 2 for row in stopped)
    assert (one.folder / "data/lineage/ending.json").exists()

    if name == "genetic":
        one.germline("select")
        one.germline("report")
        page = (one.folder / "reports/index.html").read_text(encoding="utf-8")
        assert "The search stopped after generation 1" in page

    one.set({"select": {"stop": {"candidates": None, "items": None}}})
    said = one.germline("evolve")
    assert stopped == one.rows()[:8]
    assert "16 candidates, 8 evaluated now" in said
    assert not (one.folder / "data/lineage/ending.json").exists()
