"""Report stage: lineage and selection in; tables, a plot and one page out.

dvc.yaml runs it as ``germline report`` and declares its deps, params and outs.
"""

import io
from pathlib import Path

import pandas as pd

from stages.files import write_whole
from stages.lineage.rows import read_rows
from stages.lineage.selection import Selection
from stages.lineage.table import frame
from stages.params.load import ReportParams
from stages.report.history import fitness_svg, history_frame
from stages.report.page import markdown_table, render_page
from stages.report.summary import headline, summary_frame

LINEAGE = Path("data/selection/genomes.jsonl")
SELECTION = Path("data/selection/selection.json")
REPORTS = Path("reports")
OUTPUTS = (
    "lineage.csv",
    "lineage.parquet",
    "summary.csv",
    "summary.md",
    "history.csv",
    "fitness.svg",
    "index.html",
)


def run(
    lineage: Path, selection: Path, params: ReportParams, out: Path, *, is_raced: bool
) -> None:
    """Write the ``OUTPUTS`` to the folder ``out``; equal inputs give equal bytes.

    ``is_raced``: the search was of races, so that each generation answered items of its own.
    """
    rows, chosen = read_rows(lineage), Selection.read(selection)
    table, history = frame(rows), history_frame(rows, is_raced=is_raced)
    summary = summary_frame(chosen, params.confidence)
    svg = fitness_svg(rows, history, is_raced=is_raced)
    page = render_page(rows, chosen, summary, svg, params=params, is_raced=is_raced)
    lead = headline(chosen, params.confidence)
    write_whole(out / "lineage.csv", _csv(table))
    write_whole(out / "lineage.parquet", _parquet(table))
    write_whole(out / "summary.csv", _csv(summary))
    write_whole(out / "summary.md", f"# {params.title}\n\n{lead}\n\n{markdown_table(summary)}")
    write_whole(out / "history.csv", _csv(history))
    write_whole(out / "fitness.svg", svg)
    write_whole(out / "index.html", page)


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n").encode()


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, engine="pyarrow")
    return buffer.getvalue()
