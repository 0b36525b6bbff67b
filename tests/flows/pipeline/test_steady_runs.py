"""Steady searches through the program: workers, speed, kills and more budget change no byte."""

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from flows.audit.checks import search_check
from flows.audit.recorded_run import RecordedRun
from tests.flows.conftest import Project, wait_until
from tests.flows.test_pipeline import processes_in

SCORER = '''
"""A scorer that takes its time, which is another each time."""

import os
import time


def score(item, answer):
    """Compare, after up to a sixteenth of a second."""
    time.sleep(os.urandom(1)[0] / 4000)
    return float(answer.strip() == item["answer"])
'''
TASK = {"task": "spanish_arithmetic", "scorer": "data/tasks/sleepy.py:score"}
STEADY: dict[str, Any] = {
    "optimizer": "genetic",
    "schedule": "steady",
    "population": 4,
    "generations": 3,
}


def steady_project(
    make_project: Callable[[str], Project], name: str, workers: int, **select: Any
) -> Project:
    """Return a project with a steady search on a task whose items take unequal times."""
    project = make_project(name)
    (project.folder / "data/tasks/sleepy.py").write_text(SCORER, encoding="utf-8")
    project.set(
        {"evaluate": {"workers": workers, "tasks": [TASK]}, "select": {**STEADY, **select}}
    )
    return project


def rows_of(project: Project) -> list[dict[str, Any]]:
    """Return the lineage's rows."""
    text = (project.folder / "data/lineage/genomes.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_steady_search_gives_the_same_bytes_with_any_number_of_workers(
    make_project: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker, or four and a kill: one lineage; more generations continue it.

    Items take times drawn from the system. Rows have the generation that their number in ask
    order gives, and children come of the candidates of any earlier one. An audit agrees.
    """
    one, four = (steady_project(make_project, f"workers-{count}", count) for count in (1, 4))
    said = one.germline("evolve")
    assert "evolve: 3 generations of 4 candidates on 1 task, 1 at a time" in said
    assert 1 == said.count("page: reports/runs/index.html, written again after generations")

    child, _ = four.fork("evolve")
    journal = four.folder / "reports/runs/evolve.jsonl"
    wait_until(lambda: journal.exists() and journal.stat().st_size > 0)
    child.kill()
    child.join()
    wait_until(lambda: not processes_in(four.folder), limit_s=120)
    assert not (four.folder / "data/lineage").exists()
    said = four.germline("evolve")
    assert "2 at a time, as no more are out: evaluate.workers is 4, the window 2" in said
    assert one.files("data/lineage") == four.files("data/lineage")
    assert one.files("data/kept") == four.files("data/kept")

    rows = rows_of(one)
    names = [f"g{number // 4:02d}-c{number % 4:02d}" for number in range(12)]
    assert names == [row["name"] for row in rows]
    assert [number // 4 for number in range(12)] == [row["generation"] for row in rows]
    assert any(len(row["ancestors"]) == 2 for row in rows)
    kin = {row["name"]: row["ancestors"] for row in rows}
    assert any(
        ancestor[:3] == name[:3] for name, ancestors in kin.items() for ancestor in ancestors
    ), "no child of a candidate of its own generation"

    shutil.rmtree(one.folder / "data/kept")
    one.set({"select": {"generations": 4}})
    assert "16 candidates, 4 evaluated now" in one.germline("evolve")
    assert rows == rows_of(one)[:12]
    monkeypatch.chdir(one.folder)
    assert search_check.check(RecordedRun()).agrees
