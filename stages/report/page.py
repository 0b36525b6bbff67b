"""The page: everything a reader needs in one file, without scripts or links to other files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stages.lineage.rows import Row
from stages.lineage.selection import Selection
from stages.params.load import ReportParams
from stages.report.summary import headline

_FOLDER = Path(__file__).parent


def render_page(
    rows: Sequence[Row],
    selection: Selection,
    summary: pd.DataFrame,
    svg: str,
    *,
    params: ReportParams,
    is_raced: bool,
) -> str:
    """Return the HTML page; every text that comes from outside is escaped.

    With ``is_raced`` it says which fitnesses are on unlike items.
    """
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = _number
    return environment.get_template("page.html.j2").render(
        title=params.title,
        headline=headline(selection, params.confidence),
        is_raced=is_raced,
        summary=_records(summary),
        tasks=[score.task for score in selection.winner.evaluation.tasks],
        figure=Markup(svg[svg.index("<svg") :]),  # noqa: S704  matplotlib's own, no outside text
        genes=sorted(selection.chosen.genes.items()),
        recipe=json.dumps(selection.winner.recipe, indent=2, sort_keys=True, ensure_ascii=False),
        selection=selection,
        failed=[row for row in rows if row.status == "failed"],
        num_rows=len(rows),
        num_distinct=len({row.id for row in rows}),
    )


def markdown_table(summary: pd.DataFrame) -> str:
    """Return the summary as a Markdown table of the columns that a reader wants first."""
    names = ["name", "kind", "fitness", "difference", "p_value"]
    tasks = [name for name in summary.columns if name.endswith(".score")]
    titles = [*names, *(task.removesuffix(".score") for task in tasks)]
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    for record in _records(summary):
        cells = [
            str(record["name"]),
            str(record["kind"]),
            _with_error(record["fitness"], record["fitness_stderr"]),
            _with_error(record["difference"], record["difference_stderr"]),
            "" if record["p_value"] is None else f"{record['p_value']:.2g}",
            *(
                _with_error(record[task], record[f"{task.removesuffix('.score')}.stderr"])
                for task in tasks
            ),
        ]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of ``table`` with None where a cell is empty."""
    return [
        {str(key): None if pd.isna(value) else value for key, value in record.items()}
        for record in table.to_dict("records")
    ]


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _with_error(value: float | None, stderr: float | None) -> str:
    return "" if value is None else f"{_number(value)} ± {_number(stderr)}"
