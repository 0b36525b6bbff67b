"""A search over paths through layers, whole: one worker or two, stopped and continued."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.checkpoint.reader import Checkpoint
from stages.lineage.rows import read_rows
from tests.flows.conftest import Maker, Project

LINEAGE = "data/lineage/genomes.jsonl"
SCAN = {"budget": 5, "starts": 1}
SPLICE = {"methods": [], "layers": {"encoding": "splice", "overlap": 1, "mlp_gain": [0.5, 2.0]}}
JOINT = {"methods": ["linear"], "layers": {"encoding": "splice", "overlap": 1}}


def searching(make: Maker, name: str, space: dict[str, Any], **select: object) -> Project:
    """Return a small project that searches ``space``."""
    project = make(name)
    path = project.folder / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    params["select"] |= {"space": space, "warm_start": ["parents"], **select}
    path.write_text(yaml.safe_dump(params), encoding="utf-8")
    return project


def test_a_search_over_paths_is_the_same_however_it_is_run(make_project: Maker) -> None:
    """Stopped after a generation and continued, with two workers, in one go: the same bytes."""
    project = searching(make_project, "one", SPLICE, scan=SCAN, generations=1)
    project.germline("evolve")
    project.set({"select": {"generations": 2}, "evaluate": {"workers": 2}})
    project.germline("evolve")
    whole = searching(make_project, "two", SPLICE, scan=SCAN)
    whole.germline("evolve")
    assert (
        project.files("data/lineage")["genomes.jsonl"]
        == whole.files("data/lineage")["genomes.jsonl"]
    )

    rows = read_rows(whole.folder / LINEAGE)
    scan, rows = rows[:5], rows[5:]
    parents = [("math",), ("order",), ("spanish",)]
    assert [row.name for row in scan] == [f"s00-c0{number}" for number in range(5)]
    assert [row.ancestors for row in scan[:3]] == parents
    best = max(scan[3:], key=lambda row: row.fitness or 0.0)
    assert [row.ancestors for row in rows[:4]] == [*parents, (best.name,)]
    assert rows[3].id == best.id
    assert all(row.status == "ok" for row in rows)
    assert {"cut1", "cut1.overlap", "segment2.model", "segment2.log_mlp_gain"} <= set(
        rows[3].genes
    )
    _check_champion(whole)
    whole.germline("report")
    assert Path(whole.folder / "reports/index.html").is_file()
    evaluated = whole.germline("evaluate", "s00-c03", "--split", "search", "--limit", "2")
    assert "s00-c03" in evaluated


def test_one_genome_searches_both_spaces(make_project: Maker) -> None:
    """A path runs through the genome's own merge, and the champion is what was scored."""
    starts = ["uniform", "parents"]
    raced = {"rungs": [2, 4, 6]}
    project = searching(
        make_project, "joint", JOINT, population=6, warm_start=starts, racing=raced
    )
    project.germline("evolve")
    rows = read_rows(project.folder / LINEAGE)
    assert (rows[0].ancestors, rows[0].recipe.method) == (("uniform",), "linear")
    through = [row for row in rows if "merge" in row.parents and row.recipe.layers]
    assert through
    assert all(row.status == "ok" for row in through)
    _check_champion(project)


@pytest.mark.slow
def test_the_size_of_a_child_is_an_objective(make_project: Maker) -> None:
    """Each row has its parameters, as many as its folder holds, and the page shows them."""
    space = {"methods": [], "layers": {"encoding": "splice", "cuts": 2, "overlap": 3}}
    several = {"optimizer": "nsga2", "objectives": "separate", "cost": "parameters"}
    project = searching(make_project, "costly", space, population=6, **several)
    project.germline("evolve")
    _check_champion(project)
    rows = {row.name: row for row in read_rows(project.folder / LINEAGE)}
    assert len({row.child_cost["parameters"] for row in rows.values()}) > 1
    selection = json.loads(
        (project.folder / "data/selection/selection.json").read_text(encoding="utf-8")
    )
    champion = Checkpoint(project.folder / "data/champion")
    num_parameters = sum(math.prod(info.shape) for info in champion.tensors.values())
    assert rows[selection["champion"]].child_cost == {"parameters": num_parameters}
    page = (project.folder / "reports/index.html").read_text(encoding="utf-8")
    assert "with no more parameters, and better in one" in page


@pytest.mark.usefixtures("prefect_server")
def test_starts_that_are_merges_need_a_method(make_project: Maker) -> None:
    """What a space of paths alone cannot start at is said before anything runs."""
    project = searching(make_project, "wrong", SPLICE, warm_start=["uniform"])
    said = project.germline("evolve", code=1)
    assert "warm_start: uniform is a merge, and select.space.methods is []" in said


def _check_champion(project: Project) -> None:
    """Check that the champion's folder is what its row says."""
    project.germline("select")
    selection = json.loads(
        (project.folder / "data/selection/selection.json").read_text(encoding="utf-8")
    )
    rows = {row.name: row for row in read_rows(project.folder / LINEAGE)}
    row = rows[selection["champion"]]
    champion = Checkpoint(project.folder / "data/champion")
    assert champion.hash() == row.weights_hash
    depth = champion.config["num_hidden_layers"]
    prefix = "model.layers."
    layers = {name.split(".")[2] for name in champion.tensors if name.startswith(prefix)}
    assert len(layers) == depth
