"""Estimates in the search: which rows carry one, and that a replay gives the same."""

import json
from collections.abc import Callable

from tests.flows.conftest import Project

MakeProject = Callable[[str], Project]
FEW = {"kind": "gmp_irt", "num_items": 3}


def test_estimates_are_recorded_and_replayed(make_project: MakeProject) -> None:
    """Generation 0 is scored in full, the rest estimated; a replay changes no byte."""
    project = make_project("one")
    tasks = [{"task": "spanish_arithmetic"}]
    project.set({"evaluate": {"estimator": FEW, "tasks": tasks, "workers": 2}})
    project.germline("evolve")
    lineage = project.files("data/lineage")

    project.set({"evaluate": {"workers": 1}})
    replay = project.germline("evolve")
    project.germline("select")

    assert lineage == project.files("data/lineage")
    assert "9 candidates, 0 evaluated now, the parents and baselines that the" in replay
    for row in project.rows():
        for task in row["scores"]["search"].values():
            is_first = row["generation"] == 0
            assert (6 if is_first else 3) == task["num_items"]
            assert (None if is_first else "gmp_irt") == task.get("estimator")
        assert 0 <= row["fitness"] <= 1
    selection = json.loads((project.folder / "data/selection/selection.json").read_text())
    assert all(item["validation_fitness"] is not None for item in selection["shortlist"])
