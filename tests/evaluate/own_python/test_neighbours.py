"""A task has its own prompts and scores, whatever the tasks next to it and their order."""

from pathlib import Path
from typing import Any

import pytest

from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.params.evaluate_params import EvaluateParams
from tests.evaluate.own_python.conftest import MakeSuite, write_task

# Both import a module of one name from their own folders, register one name with lm-eval, and
# draw; the first leaves seeds, variables and settings that would change the second.
HEADER = """
import os
import pathlib
import random
import sys

import numpy as np
import torch
from lm_eval.api.registry import register_filter
from lm_eval.api.filter import Filter

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import common


@register_filter("shared_name")
class Shared(Filter):
    def apply(self, resps, docs):
        return [[text + common.VALUE for text in said] for said in resps]


def text(doc):
    drawn = [random.random(), np.random.rand(), torch.rand(1).item()]
    return f"{doc['q']} {common.VALUE} {os.environ.get('SHARED_VARIABLE')} {drawn}"


def score(doc, results):
    said = sum(map(ord, results[0])) % 97
    return {"ok": said + random.random() + len(os.environ.get("SHARED_VARIABLE", "none"))}
"""
LEAVES = """
random.seed(5)
np.random.seed(5)
torch.manual_seed(5)
os.environ["SHARED_VARIABLE"] = "left"
sys.setrecursionlimit(3000)
"""


@pytest.fixture
def three_tasks(own: Path) -> Path:
    """A project with two tasks of interfering Python and one without any."""
    steps = [{"function": "shared_name"}, {"function": "take_first"}]
    shared = {"filter_list": [{"name": "own", "filter": steps}]}
    for name, more in (("leaves", LEAVES), ("drawn", "")):
        folder = own / "tasks" / name
        folder.mkdir()
        (folder / "common.py").write_text(f"VALUE = {name!r}\n")
        (folder / "code.py").write_text(HEADER + more)
        write_task(own, name, doc_to_text="!function code.text", **shared)
        (own / "tasks" / f"{name}.yaml").rename(folder / f"{name}.yaml")
    plain: dict[str, Any] = {"process_results": None, "metric_list": [{"metric": "exact_match"}]}
    write_task(own, "plain", **plain)
    return own


@pytest.mark.usefixtures("three_tasks")
def test_neighbours_change_nothing(load: MakeSuite, model_folder: Path) -> None:
    """Alone, first, last or between others: the same hash of each task and the same scores."""
    params = EvaluateParams.model_validate({"tasks": [{"task": "plain"}]})

    def outcome(*names: str) -> dict[str, Any]:
        suite = load(*names)
        evaluation = ResidentEvaluator(model_folder, params, suite).evaluate("search")
        hashes = suite.by_task()
        return {
            name: (hashes[name], [one for one in evaluation.items if one.task == name])
            for name in names
        }

    names = ("leaves", "drawn", "plain")
    together = outcome(*names)
    assert together == outcome(*reversed(names))
    for name in names:
        assert outcome(name) == {name: together[name]}
    assert together["leaves"][0] != together["drawn"][0]
