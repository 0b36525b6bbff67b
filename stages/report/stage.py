"""Report stage: lineage and selection in; tables, metrics and one page out.

dvc.yaml runs it as ``germline report`` and declares its deps, params and outs.
"""

import json
import shutil
from pathlib import Path

from stages.files import write_whole
from stages.lineage.records.question_answers import ANSWERS, read_answers
from stages.lineage.rows import read_rows
from stages.lineage.selection import Selection
from stages.params.report_params import ReportParams
from stages.params.select_params import SelectParams
from stages.report.dvc_metrics import metrics_of
from stages.report.page.html_page import render_page
from stages.report.page.vega_bundle import vega_bundle
from stages.report.plot_tables import SCRIPT, plot_files
from stages.report.report_tables import (
    csv_bytes,
    history_frame,
    lineage_frame,
    parquet_bytes,
    summary_frame,
    summary_markdown,
)
from stages.report.story import story_of

LINEAGE = Path("data/selection/genomes.jsonl")
SELECTION = Path("data/selection/selection.json")
REPORTS = Path("reports")
PLOTS = "plots"  # the folder of what `dvc plots` reads
OUTPUTS = (
    "lineage.csv",
    "lineage.parquet",
    "summary.csv",
    "summary.md",
    "history.csv",
    "index.html",
    "metrics.json",
    PLOTS,
)


def run(
    lineage: Path,
    selection: Path,
    params: ReportParams,
    out: Path,
    *,
    select: SelectParams,
    library: str | None = None,
) -> None:
    """Write the ``OUTPUTS`` to the folder ``out``; equal inputs give equal bytes.

    ``select`` are the params of the search; ``library`` is ``vega_bundle()``, from one who has it.
    """
    library = library or vega_bundle()
    rows, selected = read_rows(lineage), Selection.read(selection)
    selected.check_rows({row.name: row.id for row in rows}, lineage.parent)
    story = story_of(
        rows,
        selected,
        read_answers(selection.with_name(ANSWERS)),
        confidence=params.confidence,
        is_raced=bool(select.racing.rungs),
        seed=select.seed,
        halves=select.space.halves,
    )
    page = render_page(
        story.search, story, title=params.title, confidence=params.confidence, library=library
    )
    table = lineage_frame(story)
    write_whole(out / "lineage.csv", csv_bytes(table))
    write_whole(out / "lineage.parquet", parquet_bytes(table))
    write_whole(out / "summary.csv", csv_bytes(summary_frame(story)))
    write_whole(out / "summary.md", summary_markdown(story, params.title))
    write_whole(out / "history.csv", csv_bytes(history_frame(story)))
    write_whole(out / "index.html", page)
    write_whole(out / "metrics.json", json.dumps(metrics_of(story), indent=2) + "\n")
    shutil.rmtree(out / PLOTS, ignore_errors=True)  # may have plots of tasks of before
    for name, content in {**plot_files(story), SCRIPT: library.encode()}.items():
        path = out / PLOTS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)


def output_files(out: Path) -> list[Path]:
    """Return every file of the ``OUTPUTS`` in the folder ``out``, as paths below it."""
    paths = (path for name in OUTPUTS for path in ((out / name), *(out / name).rglob("*")))
    return sorted(path.relative_to(out) for path in paths if path.is_file())
