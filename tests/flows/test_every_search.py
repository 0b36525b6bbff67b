"""Each strategy in each space, as a user runs it: workers, a kill and a longer run change nothing.

``make every-search`` runs it. A search with one worker is compared with one that has two, is
killed with all of its processes at a drawn time, and goes on from two generations to three.
"""

import os
import signal
import time
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from tests.flows.conftest import Maker, Project, wait_until
from tests.flows.test_paths import searching
from tests.flows.test_pipeline import processes_in

GAINS = {"mlp_gain": [0.5, 2.0]}
SPACES: dict[str, dict[str, Any]] = {
    "parameters": {"methods": ["task_arithmetic", "ties"], "layer_groups": 2},
    "splice": {"methods": [], "layers": {"encoding": "splice", "overlap": 1, **GAINS}},
    "pick": {"methods": [], "layers": {"encoding": "pick"}},
    "blocks": {"methods": [], "layers": {"encoding": "blocks", "max_layers": 12}},
    "indicator": {"methods": [], "layers": {"encoding": "indicator", "scale": [0.5, 2.0]}},
    "interleaved": {"methods": [], "layers": {"encoding": "interleaved", "max_layers": 9}},
    "both": {"methods": ["linear"], "layers": {"encoding": "splice", "overlap": 1}},
}
TASKS = ("spanish_arithmetic", "english_arithmetic")
AXES = {"axes": {task: [0.0, 1.0] for task in TASKS}, "cells": 3}
STRATEGIES: dict[str, dict[str, Any]] = {
    "CMA": {},
    "TBPSA": {},
    "TwoPointsDE": {"objectives": "separate"},
    "OnePlusOne": {"schedule": "steady", "window": 3},
    "Sobol": {},
    "cat_cma": {},
    "genetic": {"schedule": "steady", "window": 3},
    "nsga2": {"objectives": "separate"},
    "map_elites": {"archive": AXES},
    "cycle_qd": {"archive": AXES},
    "m2n2": {},
    "islands": {
        "population": 8,
        "islands": {"optimizers": ["CMA", "genetic"], "exchange_every": 1},
    },
}


@pytest.mark.kills
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_search_is_the_same_however_it_is_run(
    make_project: Maker, strategy: str, space: str
) -> None:
    """The lineage has the same bytes; the first generations of the longer run are looked up."""
    select = {"generations": 3, "optimizer": strategy, "warm_start": [], **STRATEGIES[strategy]}
    undisturbed, disturbed = (
        searching(make_project, name, SPACES[space], **select)
        for name in ("undisturbed", "disturbed")
    )
    begun = time.monotonic()
    undisturbed.germline("evolve")
    taken_s = time.monotonic() - begun

    disturbed.set({"evaluate": {"workers": 2, "retries": 5}, "select": {"generations": 2}})
    _killed(disturbed, Random(f"{strategy} {space}").uniform(0.0, taken_s))
    disturbed.germline("evolve")
    disturbed.set({"select": {"generations": 3}})
    said = disturbed.germline("evolve")

    assert undisturbed.files("data/lineage") == disturbed.files("data/lineage")
    rows = undisturbed.rows()
    num_first = len({row["id"] for row in rows if row["generation"] < 2})
    num_all = len({row["id"] for row in rows})
    assert f"{num_all - num_first} evaluated now" in said
    assert {"ok"} == {row["status"] for row in rows}


def _killed(project: Project, after_s: float) -> None:
    """Start the search, and kill it with all of its processes, unless it ends before."""
    process, _ = project.fork("evolve")
    process.join(after_s)
    for pid in processes_in(project.folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.join()
    wait_until(lambda: not processes_in(project.folder))
