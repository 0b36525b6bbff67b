"""Searches in one half of the space, as tuned baselines of a run that searches both."""

import json
import shutil
from typing import Any

import pytest

from flows.audit.checks import choice_check, libraries_check, recipes_check
from flows.audit.recorded_run import RecordedRun
from flows.publishing.run_model import run_model
from stages.lineage.rows import Row, read_rows
from tests.flows.conftest import Maker, Project, wait_until
from tests.flows.test_paths import JOINT, searching

STARTS = ["uniform", "parents"]
SCAN = {"budget": 4, "starts": 1}
TUNED = {"sweep": 2, "random": 2, "parameters": 11, "layers": 14}


def joint(make: Maker, name: str, **select: Any) -> Project:
    """Return a project that searches both halves of a space, and each alone."""
    settings = {"population": 5, "warm_start": STARTS, "scan": SCAN, "tuned_baselines": TUNED}
    return searching(make, name, JOINT, **{**settings, **select})


def rows_of(project: Project, half: str) -> list[Row]:
    """Return the lineage of the search in one half."""
    return read_rows(project.folder / "data/selection" / half / "genomes.jsonl")


def test_halves_are_searched_and_compared_however_they_are_run(
    make_project: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each half has its own lineage, best recipe and number of evaluations; the same bytes again.

    The search that is killed goes on with two workers. An audit replays them all, and names a row
    that was changed.
    """
    whole = joint(make_project, "whole")
    whole.germline("evolve")
    stopped = whole.folder.with_name("stopped")
    shutil.copytree(whole.folder, stopped)
    killed = Project(stopped, whole.server)
    said = whole.germline("select")
    assert "select: a search in parameters alone, as a tuned baseline" in said

    parameters, layers = (rows_of(whole, half) for half in ("parameters", "layers"))
    assert not any(row.recipe.layers for row in parameters)
    assert {"linear"} == {row.recipe.method for row in parameters}
    assert ["uniform"] == list(parameters[0].ancestors)
    assert [11, 15] == [len(parameters), len(layers)]  # generations of 5, a scan of 4, the means
    assert all("merge" not in row.parents for row in layers)
    assert ["s00-c00", "s00-c01", "s00-c02", "s00-c03"] == [row.name for row in layers[:4]]
    selection = json.loads(
        (whole.folder / "data/selection/selection.json").read_text(encoding="utf-8")
    )
    tuned = {e["name"]: e for e in selection["entries"] if e["kind"] == "tuned"}
    assert ["sweep", "random", "parameters", "layers"] == list(tuned)
    for half, rows in (("parameters", parameters), ("layers", layers)):
        assert tuned[half]["num_evaluations"] == len({row.id for row in rows})
        validated = [row for row in rows if "validation" in row.scores]
        assert tuned[half]["recipe"] in [row.recipe.to_dict() for row in validated]

    killed.set({"evaluate": {"workers": 2}})
    index = killed.folder / ".dvc/cache/candidates"
    before = len([*index.rglob("*")])
    child, _ = killed.fork("select")
    wait_until(lambda: len([*index.rglob("*")]) >= before + 12)  # and 30 more to come
    child.kill()
    child.join()
    assert not (stopped / "data/selection/selection.json").exists()
    killed.germline("select")
    assert whole.files("data/selection") == killed.files("data/selection")

    monkeypatch.chdir(whole.folder)
    assert run_model("layers").recipe.to_dict() == tuned["layers"]["recipe"]
    assert run_model("layers s00-c03").recipe == layers[3].recipe
    assert run_model(layers[3].id[:12]).recipe == layers[3].recipe
    assert "s00-c03" in whole.germline("lineage", "list", "--half", "layers", "--json")
    assert "tuned baseline layers, " in whole.germline("status")
    for check in (choice_check.check, recipes_check.check, libraries_check.check):
        assert [] == [str(one) for one in check(RecordedRun()).differences]
    path = whole.folder / "data/selection/layers/genomes.jsonl"
    text = path.read_text(encoding="utf-8")
    renamed = text.replace('"name":"s00-c03"', '"name":"s00-c09"')
    path.write_text(renamed, encoding="utf-8")
    assert ["data/selection/layers, s00-c03", "data/selection/layers, s00-c09"] == [
        difference.where for difference in choice_check.check(RecordedRun()).differences
    ]


@pytest.mark.usefixtures("prefect_server")
def test_halves_that_cannot_be_searched_are_refused(make_project: Maker) -> None:
    """A half that is not there, a budget that is too small: all is said before anything runs."""
    alone = {"methods": [], "layers": {"encoding": "splice"}}
    project = searching(make_project, "alone", alone, tuned_baselines={"layers": 8})
    said = project.germline("evolve", code=1)
    assert "select.tuned_baselines.layers is 8, and the run itself searches layers alone" in said
    merged = {"methods": ["linear"], "layers": {"encoding": "blocks", "pool": "merge"}}
    project = searching(
        make_project, "small", merged, tuned_baselines={"parameters": 3, "layers": 2}
    )
    said = project.germline("evolve", code=1)
    assert "select.tuned_baselines.parameters is 3, and one generation of 4 candidates is" in said
    assert "select.tuned_baselines.layers is 2, and one generation of 4 candidates is" in said
    islands = {"optimizers": ["CMA", "CMA"], "exchange_every": 1}
    settings: dict[str, Any] = {"optimizer": "islands", "islands": islands, "warm_start": []}
    settings |= {"population": 4, "tuned_baselines": {"layers": 8}}
    said = joint(make_project, "islands", **settings).germline("evolve", code=1)
    assert "tuned_baselines.layers, a search of 1 generation: select.islands" in said
