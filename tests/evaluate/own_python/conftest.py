"""Small tasks whose Python is the test's own, and their suites; no model is needed."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from stages.evaluate.tasks.suite import Suite
from stages.params.evaluate_params import EvaluateParams

MakeSuite = Callable[..., Suite]
NUM_ITEMS = 12


def row(i: int) -> dict[str, Any]:
    """Return the i-th document; all are different."""
    return {
        "q": f"is it {i}?",
        "a": f"it is {i}",
        "options": [f"x{i}", f"y{i}", f"z{i}"],
        "gold": 1,
    }


def write_task(folder: Path, name: str = "own", **changes: Any) -> None:
    """Write the task ``name`` of generated text; ``changes`` replace keys, None removes one.

    A value that begins with ``!function`` is written as that.
    """
    config = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": "data/own.jsonl"}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{q}}",
        "doc_to_target": "a",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 8},
        "metric_list": [{"metric": "ok", "aggregation": "mean", "higher_is_better": True}],
        "process_results": "!function code.score",
    }
    kept = {key: value for key, value in (config | changes).items() if value is not None}
    text = json.dumps(kept, indent=1)
    for word in set(text.split('"')):
        if word.startswith("!function"):
            text = text.replace(f'"{word}"', word)
    (folder / "tasks" / f"{name}.yaml").write_text(text)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with data, an empty folder of tasks, and a module of Python."""
    (tmp_path / "data").mkdir()
    (tmp_path / "tasks").mkdir()
    lines = "".join(json.dumps(row(i)) + "\n" for i in range(NUM_ITEMS))
    (tmp_path / "data" / "own.jsonl").write_text(lines)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def load() -> MakeSuite:
    """Load the suite of some tasks."""

    def make(*names: str | Mapping[str, Any], **changes: Any) -> Suite:
        tasks = [{"task": name} if isinstance(name, str) else name for name in names or ("own",)]
        section = {
            "tasks": tasks,
            "include_path": "tasks",
            "splits": {"search": 6, "validation": 2, "test": 2},
            "batch_size": 4,
        }
        return Suite.load(EvaluateParams.model_validate(section | changes))

    return make
