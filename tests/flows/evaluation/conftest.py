"""A project of two parents of the zoo, with a lineage of two candidates."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import yaml

from flows.execution.executor import WorkerSettings
from stages.download import stage
from stages.lineage.outcome import Outcome
from stages.lineage.rows import LINEAGE, Row, candidate_name, write_rows
from stages.merge.parents_fit import unfit
from stages.params.download_params import DownloadParams
from stages.params.evaluate_params import EvaluateParams
from stages.params.merge_params import MergeParams
from stages.recipe.candidate import Candidate
from tests.flows.execution.conftest import recipe_on

ROOT = Path(__file__).parents[3]
SOURCES = {"base": "zoo:base", "parents": {"math": "zoo:math", "order": "zoo:order"}}
SECTION = {
    "include_path": "data/tasks",
    "splits": {"search": 4, "validation": 5, "test": 6},
    "tasks": [{"task": "english_arithmetic", "weight": 2.0}, {"task": "english_sorting"}],
    "batch_size": 4,
}


@pytest.fixture(scope="session")
def zoo_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project: only to be read."""
    folder = tmp_path_factory.mktemp("zoo") / "project"
    for name in ("tasks", "zoo"):
        shutil.copytree(ROOT / "data" / name, folder / "data" / name)
    text = yaml.safe_dump({"download": SOURCES, "evaluate": SECTION})
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        download = DownloadParams.model_validate(SOURCES)
        misfits = partial(unfit, tokenizer="base")
        stage.run(download, Path("data/parents"), misfits=misfits, tokenizer="base")
        recipes = [recipe_on(worker_settings(), weight) for weight in (0.5, 0.9)]
        rows = [
            Row.of(
                Candidate(candidate_name(0, i), (), recipe, 0, ("uniform",)),
                {},
                Outcome(None, None, "never scored"),
                weights={},
            )
            for i, recipe in enumerate(recipes)
        ]
        write_rows(LINEAGE / "genomes.jsonl", rows)
    return folder


@pytest.fixture
def at_zoo(zoo_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project as the working folder of the test."""
    monkeypatch.chdir(zoo_project)
    return zoo_project


def worker_settings() -> WorkerSettings:
    """Return what a worker of the project knows."""
    section = EvaluateParams.model_validate(SECTION)
    return WorkerSettings(section, MergeParams(), Path("data/parents"))


def lines_of(path: Path) -> list[dict[str, object]]:
    """Return the objects of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
