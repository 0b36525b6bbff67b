"""The files of a new project besides params.yaml and the user's data."""

from pathlib import Path
from typing import Any

import yaml

from flows.workspace.bundled_files import bundled
from flows.workspace.versions_file import VERSIONS
from stages.files import text_of
from stages.yaml_text import document_in

_PIPELINE_HEAD = """\
# The stages of a run: `dvc repro`, or `germline run`. germline's code is not among the deps;
# versions.json stands for it, which the first stage writes each time. Files of your own that a
# run reads (merge.plugins, a scorer) belong into the deps of evolve and select.
"""
# Outputs are here too: where a later stage fails, DVC takes back the lines for git that it added
# in that command, also of stages that ended well, and never adds them again.
GITIGNORE = """\
.venv/
.prefect/
.scratch/
__pycache__/
data/.parents.*
reports/runs/
dvc_plots/
.answers/
.judge/
/data/parents
/data/lineage
/data/kept
/data/champion
/data/selection
/reports/lineage.csv
/reports/lineage.parquet
/reports/summary.csv
/reports/summary.md
/reports/index.html
/reports/plots
"""
DVCIGNORE = """\
__pycache__/
*.py[co]
.ipynb_checkpoints/
.DS_Store
*~
.*.sw?
/data/sources/*.md
"""
SOURCES_README = (
    "Hashes of the model folders in params.yaml, written by `germline download`. Keep in git.\n"
)
EXAMPLE = Path("data/tasks/example.csv")
_README = """\
# {title}

A project of germline: it searches for the merge of models that scores best on your own tasks.

    germline doctor     # will it run here?
    dvc repro           # or: germline run

At the end `data/champion` is the best merge, and `reports/index.html` shows how it came about.

- `params.yaml`: what is evolved from what, on which tasks, and how
- `dvc.yaml`: the stages and plots; `dvc.lock` the hashes of the last run
- `data/tasks/`: your questions, a file for each task, with the columns `prompt` and `answer`,
  or those that params.yaml names
- `data/parents/`, `data/lineage/`, `data/selection/`, `data/champion/`, `reports/`: results

Runs and DVC experiments side by side, of which the last line needs a first git commit:

    dvc metrics show    # the champion's test fitness, its lead, their errors, items, seed
    dvc plots show      # writes dvc_plots/index.html, which needs no network
    dvc exp show --only-changed --keep 'test_|lead|items|seed' --drop '.*/.*'   # one line a run

Keep in git: .dvc/config, .dvc/plots, params.yaml, dvc.yaml, dvc.lock, parents.lock, versions.json,
data/tasks, data/sources, data/dvc.yaml and data/dvc.lock.
"""


def pipeline_text(*, zoo: bool) -> str:
    """Return dvc.yaml for a project without germline's sources, from germline's own."""
    document = document_in(text_of(bundled("dvc.yaml")))
    plain: Any = None if document is None else document.plain()
    stages: dict[str, Any] = {
        "versions": {
            "desc": "Say what is installed: the other stages run again when it differs.",
            "cmd": f"python -m germline versions {VERSIONS}",
            "always_changed": True,
            "outs": [{str(VERSIONS): {"cache": False}}],
        }
    }
    for name, stage in plain["stages"].items():
        stages[name] = {**stage, "deps": [str(VERSIONS), *_data(stage["deps"], zoo=zoo)]}
    pipeline = {"stages": stages, "plots": plain["plots"]}
    return _PIPELINE_HEAD + yaml.safe_dump(pipeline, sort_keys=False, width=99)


def readme_text(title: str) -> str:
    """Return the project's README."""
    return _README.format(title=title)


def example_text() -> str:
    """Return a file of 80 easy questions, which shows the columns."""
    sums = [(a, b) for a in range(2, 10) for b in range(11, 21)]
    return "prompt,answer\n" + "".join(f"{a} + {b} =,{a + b}\n" for a, b in sums)


def _data(deps: list[str], *, zoo: bool) -> list[str]:
    return [dep for dep in deps if dep.startswith("data/") and (zoo or dep != "data/zoo")]
