"""The tables of the report, made from its story: CSV, Parquet and Markdown."""

import io
from collections.abc import Sequence
from dataclasses import asdict, fields

import pandas as pd

from stages.lineage.paired_tests import p_text
from stages.lineage.table import frame
from stages.report.comparisons import Lead, ModelFigures
from stages.report.search_course import GenerationFigures
from stages.report.search_kinds import SearchKind
from stages.report.story import Story

# The verdict on a task, as a table says it.
OUTCOMES = {"win": "better", "loss": "worse", "undecided": "cannot be told"}


def lineage_frame(story: Story) -> pd.DataFrame:
    """Return one row for each candidate."""
    return frame(story.search.lineage)


def history_frame(story: Story) -> pd.DataFrame:
    """Return one row for each generation; a generation that failed altogether has no fitness."""
    columns = [field.name for field in fields(GenerationFigures)]
    records = [asdict(figures) for figures in story.search.generations]
    return pd.DataFrame.from_records(records, columns=columns)


def summary_frame(story: Story) -> pd.DataFrame:
    """Return one row for each model that met the test split: champion first, then by kind.

    ``num_evaluations`` is how many recipes were tried on the search items to get it.
    ``difference`` is the champion's fitness less the row's, paired by item, with its standard
    error, interval and p-value; ``<task>.*`` say the same for each task.
    """
    table = pd.DataFrame.from_records([_record(model) for model in story.models])
    return table.astype({"num_evaluations": "Int64"})  # whole numbers, though some are missing


def summary_markdown(story: Story, title: str) -> str:
    """Return the verdict, each task's best rivals, and all models that met the test split."""
    tasks = _table(
        ["task", "champion", "against", "kind", "its score", "difference", "p", "champion is"],
        [
            [
                rival.task,
                with_error(rival.champion_score, rival.champion_stderr),
                rival.name,
                rival.kind,
                with_error(rival.score, rival.stderr),
                *_lead_cells(rival.lead),
                OUTCOMES[rival.lead.outcome],
            ]
            for rival in story.in_tasks
        ],
    )
    models = _table(
        ["name", "kind", "evaluations", "fitness", "difference", "p_value", *story.tasks],
        [
            [
                model.name,
                model.kind,
                "" if model.num_evaluations is None else str(model.num_evaluations),
                with_error(model.fitness, model.stderr),
                *_lead_cells(model.lead),
                *(with_error(figures.score, figures.stderr) for figures in model.tasks),
            ]
            for model in story.models
        ],
    )
    parts = [f"# {title}", story.verdict, *([tasks] if story.in_tasks else [])]
    parts += ["## By kind of search", _kinds(story.kinds)]
    parts += [story.by_kind] if story.by_kind else []
    parts += ["## Every model on the test split", models]
    return "\n\n".join(parts) + "\n"


def _kinds(kinds: Sequence[SearchKind]) -> str:
    return _table(
        ["kind of search", "model", "evaluations", "fitness", "difference", "interval", "p_value"],
        [
            [
                kind.kind,
                kind.name,
                str(kind.num_evaluations),
                with_error(kind.fitness, kind.stderr),
                *_lead_cells(kind.lead)[:1],
                "" if kind.lead is None else f"{kind.lead.low:+.3f} to {kind.lead.high:+.3f}",
                *_lead_cells(kind.lead)[1:],
            ]
            for kind in kinds
        ],
    )


def csv_bytes(table: pd.DataFrame) -> bytes:
    """Return ``table`` as CSV."""
    return table.to_csv(index=False, lineterminator="\n").encode()


def parquet_bytes(table: pd.DataFrame) -> bytes:
    """Return ``table`` as Parquet."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, engine="pyarrow")
    return buffer.getvalue()


def with_error(value: float, stderr: float) -> str:
    """Return ``0.690 ± 0.023``."""
    return f"{value:.3f} ± {stderr:.3f}"


def _record(model: ModelFigures) -> dict[str, object]:
    record: dict[str, object] = {
        "name": model.name,
        "kind": model.kind,
        "num_evaluations": model.num_evaluations,
        "fitness": model.fitness,
        "fitness_stderr": model.stderr,
        **_lead_columns("", model.lead),
    }
    for figures in model.tasks:
        record[f"{figures.task}.score"] = figures.score
        record[f"{figures.task}.stderr"] = figures.stderr
        record |= _lead_columns(f"{figures.task}.", figures.lead)
    return {**record, "weights_hash": model.weights_hash}


def _lead_columns(prefix: str, lead: Lead | None) -> dict[str, float | None]:
    """Return the columns of a lead; None in the champion's own row."""
    names = ("difference", "difference_stderr", "difference_low", "difference_high", "p_value")
    if lead is None:
        return {prefix + name: None for name in names}
    values = (lead.difference, lead.stderr, lead.low, lead.high, lead.p_value)
    return {prefix + name: value for name, value in zip(names, values, strict=True)}


def _lead_cells(lead: Lead | None) -> list[str]:
    if lead is None:
        return ["", ""]
    p_value = p_text(lead.p_value, lead.num_tests).removeprefix("= ")
    return [with_error(lead.difference, lead.stderr), p_value]


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    return "\n".join([line(titles), f"|{'---|' * len(titles)}", *map(line, rows)])
