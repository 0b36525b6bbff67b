"""A search that a judge steers: an outage is a recorded failure, and what was judged is kept."""

import json
from collections.abc import Callable
from typing import Any

from tests.evaluate.completions_server import Reply, Request
from tests.evaluate.judge_server import judging, verdict
from tests.flows.conftest import Project

PROMPT = "{{ prompt }} -> {{ response }} (right: {{ answer }})"


def judged(project: Project, url: str, **keys: Any) -> None:
    """Make the bundled Spanish sums a data file whose answers a judge grades."""
    source = project.folder / "data/tasks/spanish_arithmetic.jsonl"
    docs = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()[:60]]
    rows = [{"prompt": d["question"], "answer": d["answer"]} for d in docs]
    data = project.folder / "data/tasks/gsm8k_es.jsonl"
    data.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    judge = {"url": url, "model": "m", "prompt": PROMPT, "retries": 0, "parallel": 1, **keys}
    task = {"data": "data/tasks/gsm8k_es.jsonl", "judge": judge, "gen_kwargs": {"max_gen_toks": 8}}
    project.set({"evaluate": {"tasks": [task], "include_path": None, "retries": 0}})
    project.set({"select": {"population": 3, "generations": 1}})


def test_outage_of_a_judge_is_a_failure_that_may_be_tried_again(
    make_project: Callable[[str], Project],
) -> None:
    """A failed row names the judge; a rerun repeats it; other patience has it judged after all."""
    project = make_project("judged")
    asked: list[Request] = []

    def decide(request: Request, _: int) -> Reply:
        asked.append(request)
        return verdict(str(len(request.prompt) % 11)) if len(asked) > 1 else Reply(status=503)

    with judging(decide) as server:
        judged(project, server.url)
        said = project.germline("evolve")
        first, num_asked = project.files("data/lineage"), len(asked)
        failed = [row for row in project.rows() if row["status"] == "failed"]
        again = project.germline("evolve")
        assert first == project.files("data/lineage")
        assert num_asked == len(asked)
        judged(project, server.url, retries=1)
        project.germline("evolve")

    assert "warning: task data/tasks/gsm8k_es.jsonl: these are items of the public test" in said
    assert 1 == len(failed)
    assert "judge m: HTTP status 503, tried once" in failed[0]["error"]
    assert "0 evaluated now" in again
    assert {"ok"} == {row["status"] for row in project.rows()}


def test_refusal_of_a_judge_ends_the_run(make_project: Callable[[str], Project]) -> None:
    """A wrong key is the run's fault: one message, and no candidate is recorded as failed."""
    project = make_project("refused")
    with judging(lambda *_: Reply(status=401)) as server:
        judged(project, server.url)
        said = project.germline("evolve", code=1)

    assert 1 == said.count("error: "), said
    assert "judge m: HTTP status 401" in said
    assert not (project.folder / "data/lineage/genomes.jsonl").exists()
