"""The project: params.yaml, DVC's cache, and what the run will need."""

import configparser
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil

from flows.workspace.doctor.finding import Finding
from flows.workspace.survey.parent_survey import survey
from flows.workspace.survey.question_survey import survey_tasks
from flows.workspace.survey.run_size import RunSize, size_of
from stages.download.manifest import PARENTS
from stages.download.sources.model_requests import requests
from stages.download.sources.model_source import Hub
from stages.errors import GermlineError
from stages.files import is_same_disk, size_text
from stages.params.load import Params


def names_hub(params: Params) -> bool:
    """Return whether a model of params.yaml is on the hub."""
    try:
        wanted = requests(params.download, PARENTS)
    except GermlineError:
        return False
    return any(isinstance(part, Hub) for r in wanted for part in r.source.places)


def params_findings(params: Params) -> Iterator[Finding]:
    """Give the faults that the check before a run finds, and the size of the run."""
    from flows.pipeline.preflight import check

    faults: list[str] = []
    try:
        check(params, fetches=True)
    except GermlineError as error:
        faults = str(error).splitlines()
        for line in faults:
            yield Finding("fault", "params", line.rstrip("."))
    else:
        yield Finding("ok", "params", "params.yaml passes the check before a run")
    try:
        models = survey(params.download)
        tasks = survey_tasks(params.evaluate.tasks, models.base.folder, models.context)
    except GermlineError as error:
        for line in str(error).splitlines():
            if line not in faults:
                yield Finding("fault", "models", line.rstrip("."))
        return
    yield from size_findings(
        size_of(params, models, tasks),
        free_memory=psutil.virtual_memory().available,
        free_disk=shutil.disk_usage(Path()).free,
        on_gpu=params.evaluate.device.startswith("cuda"),
    )


def size_findings(
    size: RunSize, *, free_memory: float, free_disk: float, on_gpu: bool
) -> Iterator[Finding]:
    """Give whether a run of this size fits into what is free."""
    yield Finding("ok", "run", size.lines()[0])
    if not on_gpu and size.memory_gb * 1e9 > free_memory:
        yield Finding(
            "warning",
            "run",
            f"its workers need about {size_text(size.memory_gb * 1e9)} of memory, "
            f"{size_text(free_memory)} are free",
            "Lower evaluate.workers, or set `model_args: {dtype: bfloat16}`.",
        )
    if size.disk_gb * 1e9 > free_disk:
        yield Finding(
            "fault",
            "run",
            f"it needs about {size_text(size.disk_gb * 1e9)} of disk, "
            f"{size_text(free_disk)} are free",
            "Free some, or set `merge.keep: none`.",
        )


def cache_findings(folder: Path) -> Iterator[Finding]:
    """Give where DVC keeps results, and whether it links them or copies."""
    config = configparser.ConfigParser()
    config.read([folder / ".dvc/config", folder / ".dvc/config.local"], encoding="utf-8")
    if not (folder / ".dvc/config").is_file():
        yield Finding(
            "fault",
            "DVC",
            f"{folder} is not a DVC project",
            "Run `dvc init` there (`dvc init --subdir` inside another repository).",
        )
        return
    cache = folder / ".dvc" / config.get("cache", "dir", fallback="cache")
    if not is_same_disk(cache, folder):
        yield Finding(
            "warning",
            "DVC",
            f"the cache {cache} is on another disk: weights are copied, and take twice the room",
            "`dvc cache dir FOLDER` names one on this disk.",
        )
    elif "hardlink" not in config.get("cache", "type", fallback="").strip("\"'"):
        yield Finding(
            "warning",
            "DVC",
            "the cache copies files, and weights take twice the room",
            "Run `dvc config cache.type reflink,hardlink,copy`.",
        )
    else:
        yield Finding("ok", "DVC", f"cache {os.path.relpath(cache)}, linked")
