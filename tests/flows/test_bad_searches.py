"""Searches that cannot be: each is said by `evolve` before anything is downloaded or scored."""

from typing import Any

import pytest
import yaml

from tests.flows.conftest import Maker


def paths(**layers: object) -> dict[str, Any]:
    """Return a select section that searches paths by these keys."""
    return {"space": {"methods": [], "layers": layers}, "warm_start": ["parents"]}


# A name for each, what params.yaml asks for, and what is said.
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "gain_of_0": (
        {"select": paths(encoding="splice", mlp_gain=[0, 1])},
        "so 0 and negative gains are not legal",
    ),
    "gains_that_round_to_one": (
        {"select": paths(encoding="splice", mlp_gain=[1.0, 1.00001])},
        "layers.mlp_gain is [1, 1.00001]",
    ),
    "layer_that_does_not_exist": (
        {"select": paths(encoding="blocks", first_fixed=9)},
        "first_fixed is 9 and last_fixed is 0, the models have 6 layers",
    ),
    "pool_of_one": (
        {"select": paths(encoding="pick"), "download": {"parents": {"math": "zoo:math"}}},
        "pick chooses between models, and the pool is math alone",
    ),
    "more_cuts_than_layers": (
        {"select": paths(encoding="splice", cuts=9)},
        "layers.cuts is 9. With 6 layers",
    ),
    "parameters_that_no_child_has": (
        {"select": paths(encoding="splice", max_parameters=1000)},
        "max_parameters is 1000. Children have",
    ),
    "cost_that_is_the_same_for_all": (
        {
            "select": paths(encoding="pick")
            | {"optimizer": "nsga2", "objectives": "separate", "cost": "parameters"}
        },
        "all children of select.space.layers have 6 layers",
    ),
    "archive_without_cells": (
        {"select": {"optimizer": "map_elites"}},
        "an archive without axes has no cells",
    ),
    "axis_of_names": (
        {
            "select": paths(encoding="pick")
            | {"optimizer": "map_elites", "archive": {"axes": {"layers00-00.model": [0, 1]}}}
        },
        "'layers00-00.model' chooses names, which have no order",
    ),
    "setting_that_nobody_reads": (
        {"select": {"archive": {"cells": 4}}},
        "archive is given and CMA keeps none",
    ),
    "space_without_genes": (
        {
            "select": {"optimizer": "cat_cma", "space": {"weight": [1.0, 1.0]}},
        },
        "every bound is fixed, nothing is left to search",
    ),
}


@pytest.mark.slow
def test_what_cannot_be_searched_is_said_before_anything_runs(make_project: Maker) -> None:
    """`evolve` ends with what is wrong; nothing is scored and no lineage begins."""
    project = make_project("wrong")
    path = project.folder / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, (sections, said) in WRONG.items():
        changed = {key: {**params[key], **values} for key, values in sections.items()}
        path.write_text(yaml.safe_dump({**params, **changed}), encoding="utf-8")
        assert said in project.germline("evolve", code=1), name
        assert not (project.folder / "data/lineage").exists(), name
