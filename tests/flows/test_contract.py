"""dvc.yaml, params.yaml, the docs and the code say the same."""

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

import flows.pipeline.evolve
import flows.pipeline.select
import stages.download.manifest
import stages.download.parents_lock
import stages.lineage.rows
import stages.report.stage
from stages.merge.methods import METHODS
from stages.params.load import Params, load_params
from stages.params.section_keys import models_in

ROOT = Path(__file__).parents[2]
PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
REPORTS = Path("reports")

# What decides no byte of any output: how a run is shown, started, stored, checked and told off.
NOT_DECIDING = {
    "flows",
    "flows.execution",
    "flows.execution.error_log",
    "flows.prefect_runtime.console",
    "flows.prefect_runtime.environment",
    "flows.inspection",
    "flows.inspection.row_scores",
    "flows.inspection.runs",
    "flows.inspection.runs.journal",
    "flows.inspection.runs.page_so_far",
    "flows.inspection.runs.run_log",
    "flows.pipeline.final.run_artifacts",
    "flows.pipeline.origins",
    "flows.pipeline.pipeline_file",
    "flows.pipeline.preflight",
    "flows.prefect_runtime.server",
    "stages",
    "stages.errors",
    "stages.files",
    "stages.hashing",
    "stages.json_text",
    "stages.params.model_params",
    "stages.params.download_params",
    "stages.params.evaluate_params",
    "stages.params.load",
    "stages.params.merge_params",
    "stages.params.report_params",
    "stages.params.select_params",
    "stages.retry_after",
    "stages.scratch_folder",
    "stages.store.dvc_project",
    "stages.store.entries",
    "stages.store.facts",
    "stages.store.faults",
    "stages.store.objects",
    "stages.store.watched_folders",
    "stages.report.story",
    "stages.store.index",
    "stages.params.section",
    "stages.params.space.layers_params",
    "stages.params.space.space_params",
    "stages.store.candidate_store",
    "stages.params.task_params",
    "flows.user_name",
    "stages.yaml_text",
}

# The module that each stage's command runs.
MODULES = {
    "download": "flows.pipeline.download",
    "evolve": "flows.pipeline.evolve",
    "select": "flows.pipeline.select",
    "report": "stages.report.stage",
}

# Rooms and flows whose output is among a stage's deps: what they import decides nothing more.
MADE_BY = {
    stage: {Path("stages/download"), Path("flows/pipeline/download.py")}
    for stage in ("evolve", "select")
}


def declared(stage: str, kinds: tuple[str, ...] = ("outs", "metrics", "plots")) -> set[Path]:
    """Return the paths that a stage of dvc.yaml lists under ``kinds``."""
    listed = [entry for kind in kinds for entry in PIPELINE[stage].get(kind, [])]
    return {Path(next(iter(e)) if isinstance(e, dict) else e) for e in listed}


def test_dvc_yaml_names_the_outputs_that_the_code_writes() -> None:
    """Each stage's outs are those of its code."""
    written = {
        "download": {stages.download.manifest.PARENTS, stages.download.parents_lock.LOCK},
        "evolve": {stages.lineage.rows.LINEAGE, flows.pipeline.evolve.KEPT},
        "select": {flows.pipeline.select.CHAMPION, flows.pipeline.select.SELECTION},
        "report": {REPORTS / name for name in stages.report.stage.OUTPUTS},
    }

    assert written == {name: declared(name) for name in PIPELINE}


def test_dvc_yaml_covers_every_section_of_params() -> None:
    """A change of any section reruns some stage; no stage names a section that is not there."""
    named = {key for stage in PIPELINE.values() for key in stage["params"]}

    assert set(Params.model_fields) == {key for key in named if "." not in key}


def test_dvc_yaml_names_keys_that_params_yaml_gives() -> None:
    """DVC refuses a stage whose key params.yaml leaves out, so each key stands there."""
    given = yaml.safe_load((ROOT / "params.yaml").read_text())
    single = {k for stage in PIPELINE.values() for k in stage["params"] if "." in k}

    missing = {k for k in single if k.split(".")[1] not in given[k.split(".")[0]]}

    assert missing == set()


def test_dvc_yaml_runs_the_commands_of_germline() -> None:
    """Each stage is a command of the same name."""
    assert {name: f"python -m germline {name}" for name in PIPELINE} == {
        name: stage["cmd"] for name, stage in PIPELINE.items()
    }


def test_what_keeps_weights_leaves_the_download_clean() -> None:
    """A change of merge.keep reruns no download."""
    assert not {"merge", "merge.keep"} & set(PIPELINE["download"]["params"])


@pytest.mark.parametrize("stage", PIPELINE)
def test_dvc_yaml_lists_every_module_that_decides_a_stage(stage: str) -> None:
    """What a stage's module imports, directly or not, is among its deps."""
    module = MODULES[stage]
    deps = declared(stage, ("deps",))

    uncovered = {
        name
        for name in imports_of(module) | {module}
        if not is_covered(path_of(name), deps | MADE_BY.get(stage, set()))
    }

    assert uncovered == set()


@pytest.mark.parametrize("stage", PIPELINE)
def test_dvc_yaml_names_files_that_are_there(stage: str) -> None:
    """A dep is a file or folder of the repository, or the out of another stage."""
    outputs = {path for name in PIPELINE for path in declared(name)}

    missing = {p for p in declared(stage, ("deps",)) - outputs if not (ROOT / p).exists()}

    assert missing == set()


def test_params_yaml_of_the_repository_is_valid() -> None:
    """The params.yaml that `make run` uses loads."""
    assert load_params(ROOT / "params.yaml").download.base == "zoo:deep-base"


def test_readme_gives_the_figures_of_the_tracked_run() -> None:
    """The champion's fitness and its lead in README.md are those of reports/metrics.json."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    metrics = json.loads((ROOT / "reports/metrics.json").read_text(encoding="utf-8"))
    # half up, as the README's other figures are rounded
    shares = [Decimal(str(metrics[name])) for name in ("test_fitness", "test_error")]
    fitness, error = (f"{share.quantize(Decimal('0.01'), ROUND_HALF_UP)}" for share in shares)

    assert f"**{fitness} ± {error}**" in text
    assert f"by {metrics['lead']:.3f} ± {metrics['lead_error']:.3f} over all tasks" in text


def test_every_key_is_documented_with_its_default() -> None:
    """docs/params.md has a row for each key, under its section, with its default."""
    documented = documented_keys()

    expected = dict(keys_of(Params, ""))

    assert expected == documented


def test_every_merge_method_is_documented_with_its_parameters() -> None:
    """docs/merge-methods.md has a section for each method that names each of its parameters."""
    text = (ROOT / "docs/merge-methods.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"(?ms)^## `?([a-z_]+)`?\n(.*?)(?=^## |\Z)", text))

    missing = [
        (name, parameter.name)
        for name, method in METHODS.items()
        for parameter in method.spec.parameters
        if f"`{parameter.name}`" not in sections.get(name, "")
    ]

    assert missing == []


@cache
def imports_of(module: str) -> frozenset[str]:
    """Return the project's modules that ``module`` imports, directly or not."""
    imported: set[str] = set()
    waiting = [module]
    while waiting:
        for name in direct_imports(waiting.pop()):
            if name not in imported | NOT_DECIDING:
                imported.add(name)
                waiting.append(name)
    return frozenset(imported)


def direct_imports(module: str) -> Iterator[str]:
    """Give the project's modules that a module's source names."""
    for node in ast.walk(ast.parse(path_of(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (n for n in names if n.split(".")[0] in ("stages", "flows") and is_module(n))


def is_module(name: str) -> bool:
    """Tell whether ``name`` is a module of the project, not a name in one."""
    return path_of(name).exists()


def path_of(module: str) -> Path:
    """Return the file of a module."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def is_covered(path: Path, deps: set[Path]) -> bool:
    """Tell whether ``path`` is one of ``deps`` or in one of them."""
    relative = path.relative_to(ROOT)
    return any(relative == dep or dep in relative.parents for dep in deps)


def keys_of(section: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    """Give every key below ``section`` with its default as the docs spell it."""
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys_of(inner, f"{prefix}{name}.")
            continue
        yield f"{prefix}{name}", "required" if field.is_required() else spell(field)
        for section_inside in models_in(inner):
            yield from keys_of(section_inside, f"{prefix}{name}.")


def spell(field: Any) -> str:
    """Return a default as YAML spells it."""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, tuple):
        value = list(value)
    return "null" if value is None else yaml_text(value)


def yaml_text(value: Any) -> str:
    """Return ``value`` as one line of YAML."""
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n").strip()


def documented_keys() -> dict[str, str]:
    """Return {key: default} as docs/params.md has them."""
    documented, section = {}, ""
    for line in (ROOT / "docs/params.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ").strip() + "."
        row = re.match(r"\| `([\w.]+)` \| `?([^|`]+)`? \|", line)
        if row and section != "Ranges.":  # which tests/params/test_ranges_in_docs.py compares
            documented[section + row[1]] = row[2].strip()
    return documented


def test_experiments_are_one_screen() -> None:
    """Of an unchanged workspace `make experiments` shows the metrics, in order, and nothing else.

    The names, with two cells before them and three columns between two, fit 90 columns.
    """
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (command,) = re.findall(r"^\t@dvc (exp show .*)$", makefile, re.MULTILINE)
    options = [*shlex.split(command), "--csv", "--hide-workspace"]
    shown = subprocess.run(
        [sys.executable, "-m", "dvc", *options], cwd=ROOT, check=True, capture_output=True
    )
    header = shown.stdout.decode().splitlines()[0].split(",")
    metrics = json.loads((ROOT / "reports/metrics.json").read_text(encoding="utf-8"))
    assert [*metrics] == [name for name in header if name not in {"rev", "Created", "Experiment"}]
    assert sum(len(name) + 3 for name in ("Experiment", "Created ", *metrics)) <= 90
