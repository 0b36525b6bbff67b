"""Candidates on another backend, and references, through the whole pipeline."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.evaluate.completions_server import Reply, completion, serving
from tests.flows.conftest import Project

TASK = {"task": "spanish_arithmetic"}
KEY = "sk-secret-1234"
SHORT = {"population": 3, "generations": 1, "shortlist": 1}


def entries(project: Project) -> dict[str, dict[str, Any]]:
    """Return the models that met the test split, by name."""
    text = (project.folder / "data/selection/selection.json").read_text(encoding="utf-8")
    return {entry["name"]: entry for entry in json.loads(text)["entries"]}


@pytest.mark.slow
def test_candidates_score_alike_on_a_backend_that_loads_folders(
    make_project: Callable[[str], Project],
) -> None:
    """lm_eval's own class gives each candidate the score and hash of the resident model."""
    project = make_project("folders")
    project.set({"evaluate": {"tasks": [TASK]}, "select": SHORT})
    project.germline("evolve")
    resident = project.rows()
    native = {"model": "hf", "model_args": {"dtype": "float32"}}
    project.set({"evaluate": {"backend": native}})
    said = project.germline("evolve")

    assert resident == project.rows()
    assert {"ok"} == {row["status"] for row in resident}
    assert "4 candidates, 3 evaluated now" in said
    assert [] == list((project.folder / ".scratch").glob(".work.*"))


def test_reference_is_measured_with_parents_and_baselines(
    make_project: Callable[[str], Project],
) -> None:
    """A server's model is a row of the report; its outage loses nothing; a rerun asks nothing."""
    project = make_project("reference")
    numbers = re.compile(r"\d+")
    is_up = False

    def decide(request: Any, before: int) -> Reply:
        if not is_up and before >= 3:
            return Reply(status=503, raw=KEY.encode())
        return completion(request, "".join(numbers.findall(request.prompt)[-1:]))

    with serving(decide) as server:
        arguments = {
            "base_url": f"{server.url}/chat/completions",
            "max_retries": 1,
            "model": "m",
            "timeout": 20,
        }
        big = {"model": "local-chat-completions", "model_args": arguments}
        project.set(
            {
                "evaluate": {"tasks": [TASK], "references": {"big": big}, "retries": 0},
                "select": SHORT,
            }
        )
        project.germline("evolve")
        failed = project.germline("select", code=1)
        is_up = True
        project.germline("select")
        num_asked = len(server.asked)
        first = project.files("data/selection")
        project.germline("select")

    assert "error: evaluate.references.big: HTTP status 503" in failed
    assert KEY not in failed
    assert 3 + 1 + 5 == num_asked == len(server.asked)
    assert first == project.files("data/selection")
    entries_by_name = entries(project)
    assert ("reference", None) == (
        entries_by_name["big"]["kind"],
        entries_by_name["big"]["weights_hash"],
    )
    assert {"model": "m"} == {
        k: entries_by_name["big"]["recipe"]["model_args"][k] for k in ("model",)
    }
    assert server.url not in json.dumps(entries_by_name)
    items = {
        name: [row[1] for row in e["evaluation"]["items"]] for name, e in entries_by_name.items()
    }
    assert items["big"] == items["base"]
    project.germline("report")
    summary = (project.folder / "reports/summary.md").read_text()
    assert "| big | reference |" in summary
    assert "the best reference, big (" in summary
