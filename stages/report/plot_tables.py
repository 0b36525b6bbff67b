"""What ``dvc plots`` draws: a small table for each plot.

dvc.yaml names the columns; ``.dvc/plots/page.html`` is the page that DVC fills. It loads the
script ``SCRIPT`` next to them, which draws them.
"""

import re
from collections.abc import Sequence

import pandas as pd

from stages.report.candidates.shortlist_course import shortlist_course
from stages.report.report_tables import csv_bytes
from stages.report.search_course import task_course
from stages.report.story import Story

SCRIPT = "vega.js"
_LONGEST = 100  # characters of a file's name: a disk takes 255 bytes
_NOT_IN_NAMES = re.compile(r"[^\w.+-]")


def plot_files(story: Story) -> dict[str, bytes]:
    """Return {path below the folder of plots: content}, the tables."""
    steps = task_course(story.search.lineage)
    tasks = sorted({step.task for step in steps})
    files = {
        f"tasks/{name}.csv": _csv(
            ("generation", "fittest", "mean"),
            [(one.generation, one.fittest, one.mean) for one in steps if one.task == task],
        )
        for task, name in zip(tasks, _file_names(tasks), strict=True)
    }
    genes = [one for one in story.search.gene_effects if one.explained is not None]
    files["genes.csv"] = _csv(
        ("gene", "explained", "trend"), [(one.gene, one.explained, one.trend) for one in genes]
    )
    files["shortlist.csv"] = _csv(
        ("candidate_on_split", "candidate", "split", "fitness", "stderr"),
        [
            (f"{one.name} {one.split}", one.name, one.split, one.fitness, one.stderr)
            for one in shortlist_course(story)
        ],
    )
    return files


def _file_names(tasks: Sequence[str]) -> list[str]:
    """Return a name for each task's file; no two are one file where case is not told apart."""
    names: list[str] = []
    for task in tasks:
        name = _NOT_IN_NAMES.sub("_", task)[:_LONGEST]
        taken = {one.casefold() for one in names}
        names.append(f"{name}_{len(names)}" if name.casefold() in taken else name)
    return names


def _csv(columns: Sequence[str], records: Sequence[tuple[object, ...]]) -> bytes:
    return csv_bytes(pd.DataFrame.from_records(records, columns=list(columns)))
