"""Searches that cannot be: each is said before anything is downloaded or scored."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.pipeline.preflight import check, legal_params
from stages.errors import ParamsError
from tests.flows.conftest import Maker
from tests.slow_cases import with_slow

SIX_LAYERS = Path(__file__).with_name("six_layers.yaml").resolve()


def paths(**layers: object) -> dict[str, Any]:
    """Return a select section that searches paths by these keys."""
    return {"space": {"methods": [], "layers": layers}, "warm_start": ["parents"]}


# A name for each, what params.yaml asks for, and what is said.
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "gain_of_0": (
        {"select": paths(encoding="splice", mlp_gain=[0, 1])},
        "so 0 and negative gains are not legal",
    ),
    "negative_gain": (
        {"select": paths(encoding="pick", attention_gain=[-1, 1])},
        "so 0 and negative gains are not legal",
    ),
    "gain_that_is_nan": (
        {"select": paths(encoding="splice", mlp_gain=[float("nan"), 1])},
        "layers.mlp_gain.0: give a finite number, got nan",
    ),
    "gain_without_end": (
        {"select": paths(encoding="splice", mlp_gain=[1, float("inf")])},
        "layers.mlp_gain.1: give a finite number, got inf",
    ),
    "negative_scale": (
        {"select": paths(encoding="indicator", scale=[-2, 2])},
        "so 0 and negative scales are not legal",
    ),
    "matrix_without_bounds": (
        {"select": paths(encoding="indicator", scales="pairs")},
        "scales is pairs and there is no scale",
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
    "more_blocks_than_layers": (
        {"select": paths(encoding="blocks", blocks=7)},
        "layers.blocks is 7, and 6 layers are not fixed",
    ),
    "group_of_more_than_all_layers": (
        {"select": paths(encoding="pick", group=7)},
        "layers.group is 7, and 6 layers are not fixed",
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
    "archive_of_one_cell": (
        {"select": {"optimizer": "map_elites", "archive": {"cells": 1}}},
        "select.archive.cells",
    ),
    "axis_without_room": (
        {
            "select": {
                "optimizer": "map_elites",
                "archive": {"axes": {"english_sorting": [0.5, 0.5]}},
            }
        },
        "english_sorting is [0.5, 0.5]; give low below high",
    ),
    "axis_of_names": (
        {
            "select": paths(encoding="pick")
            | {"optimizer": "map_elites", "archive": {"axes": {"layers00-00.model": [0, 1]}}}
        },
        "'layers00-00.model' chooses names, which have no order",
    ),
    "items_of_one_generation_compared_with_another": (
        {"select": {"optimizer": "m2n2", "racing": {"rungs": [2, 4]}}},
        "racing.rungs",
    ),
    "cost_that_the_strategy_does_not_read": (
        {
            "select": paths(encoding="blocks")
            | {"optimizer": "m2n2", "objectives": "separate", "cost": "layers"}
        },
        "cost is layers",
    ),
    "bounds_that_no_method_takes": (
        {"select": {"space": {"methods": ["linear"], "t": [0.2, 0.8]}}},
        "space.t is given, and no method",
    ),
    "setting_that_nobody_reads": (
        {"select": {"archive": {"cells": 4}}},
        "archive is given and CMA keeps none",
    ),
    "only_whole_models": (
        {"select": paths(encoding="blocks", times=[1, 1])},
        "every path that these bounds allow is a whole model of the pool",
    ),
    "depths_that_exclude_every_path": (
        {"select": paths(encoding="splice", min_layers=7)},
        "min_layers is 7, the models have 6 layers",
    ),
    "first_fixed_layers_that_reach_the_last": (
        {"select": paths(encoding="blocks", first_fixed=3, last_fixed=3)},
        "first_fixed is 3 and last_fixed is 3, the models have 6 layers",
    ),
    "parent_of_another_width": (
        {
            "select": paths(encoding="splice"),
            "download": {"parents": {"math": "zoo:math", "deep": "zoo:deep-math"}},
        },
        "download.parents.deep: zoo:deep-math: another architecture than the base",
    ),
    "islands_of_one": (
        {"select": {"optimizer": "islands", "islands": {"optimizers": ["CMA"]}}},
        "select.islands.optimizers lists 1; give two or more",
    ),
    "islands_too_small_for_their_strategy": (
        {
            "select": {
                "optimizer": "islands",
                "islands": {"optimizers": ["genetic"] * 6, "exchange_every": 1},
            }
        },
        "island 0 with 2 of 12 candidates",
    ),
    "islands_of_islands": (
        {"select": {"optimizer": "islands", "islands": {"optimizers": ["islands", "CMA"]}}},
        "islands cannot hold islands",
    ),
    "window_that_islands_cannot_share": (
        {
            "select": {
                "optimizer": "islands",
                "islands": {"optimizers": ["CMA", "genetic"], "exchange_every": 1},
                "schedule": "steady",
                "window": 3,
            }
        },
        "select.window is 3, which 2 islands cannot share equally",
    ),
    "window_above_the_population": (
        {"select": {"optimizer": "genetic", "schedule": "steady", "window": 13}},
        "window is 13 and population is 12",
    ),
    "cost_among_weighted_objectives": (
        {"select": paths(encoding="blocks") | {"optimizer": "genetic", "cost": "layers"}},
        "cost is layers and objectives is weighted",
    ),
    "one_objective_for_a_front": (
        {"select": {"optimizer": "nsga2"}},
        "select.objectives is weighted; nsga2 searches a front",
    ),
    "space_without_genes": (
        {
            "select": {"optimizer": "cat_cma", "space": {"weight": [1.0, 1.0]}},
        },
        "every bound is fixed, nothing is left to search",
    ),
}


IN_EVERY_RUN = (
    *("gain_of_0", "layer_that_does_not_exist", "pool_of_one", "more_cuts_than_layers"),
    *("archive_without_cells", "only_whole_models", "islands_of_one"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder: its models and tasks, and nothing that was fetched or scored."""
    project = tmp_path_factory.mktemp("wrong")
    (project / "data").mkdir()
    for name in ("zoo", "tasks"):
        (project / "data" / name).symlink_to(Path("data", name).resolve())
    return project


@pytest.mark.parametrize("name", with_slow(WRONG, WRONG.keys() - IN_EVERY_RUN))
def test_what_cannot_be_searched_is_said(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`download`, the first stage, and `evolve` ask these two functions before anything else."""
    monkeypatch.chdir(folder)
    sections, said = WRONG[name]
    params = yaml.safe_load(SIX_LAYERS.read_text(encoding="utf-8"))
    changed = {key: {**params[key], **values} for key, values in sections.items()}
    Path("params.yaml").write_text(yaml.safe_dump({**params, **changed}), encoding="utf-8")
    with pytest.raises(ParamsError) as caught:
        check(legal_params(fetches=True), fetches=True)
    assert said in str(caught.value)
    assert {"data", "params.yaml"} == {path.name for path in folder.iterdir()}


@pytest.mark.slow
def test_evolve_says_it_before_anything_is_scored(make_project: Maker) -> None:
    """The program ends with what is wrong, and no lineage begins."""
    project = make_project("wrong")
    path = project.folder / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name in ("gain_of_0", "more_cuts_than_layers"):
        sections, said = WRONG[name]
        changed = {key: {**params[key], **values} for key, values in sections.items()}
        path.write_text(yaml.safe_dump({**params, **changed}), encoding="utf-8")
        assert said in project.germline("evolve", code=1), name
        assert not (project.folder / "data/lineage").exists(), name
