"""Tables made from the story."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from stages.report.page.html_page import render_page
from stages.report.report_tables import (
    csv_bytes,
    history_frame,
    lineage_frame,
    parquet_bytes,
    summary_frame,
    summary_markdown,
)
from tests.report.conftest import entry_of, raced_rows, selection_with, told


def test_summary_has_a_row_for_each_model() -> None:
    """Figures and leads, over all and by task, are those of the story."""
    story = told()
    summary = summary_frame(story)
    assert [model.name for model in story.models] == summary["name"].tolist()
    first = summary.iloc[1]
    lead, in_maths = story.models[1].lead, story.models[1].tasks[0].lead
    assert lead is not None
    assert in_maths is not None
    assert (lead.difference, lead.stderr, lead.low, lead.high, lead.p_value) == (
        first["difference"],
        first["difference_stderr"],
        first["difference_low"],
        first["difference_high"],
        first["p_value"],
    )
    assert in_maths.stderr == first["maths.difference_stderr"]
    assert pd.isna(summary.iloc[0]["difference"])


def test_summary_text_shows_each_tasks_best_rivals() -> None:
    """A line for the best parent of each task, and one for the best of all others."""
    story = told(
        selection=selection_with(
            entry_of("it", "champion", maths=18, french=10),
            entry_of("a|b", "parent", maths=5, french=0),
            entry_of("speaks", "parent", maths=0, french=20),
            entry_of("uniform", "baseline", maths=9, french=9),
        )
    )
    text = summary_markdown(story, "Title")
    assert text.startswith(f"# Title\n\n{story.verdict}\n\n| task | champion | against | kind |")
    assert "| maths | 0.900 ± 0.069 | a\\|b | parent | 0.250 ± 0.099 | 0.650 ± 0.109 |" in text
    assert "| 0.00024 | better |" in text
    figures = "1.000 ± 0.048 | -0.500 ± 0.115 | 0.0039 | worse |"
    assert f"| french | 0.500 ± 0.115 | speaks | parent | {figures}" in text
    assert "| maths | 0.900 ± 0.069 | uniform | baseline | 0.450 ± 0.114 |" in text
    assert "| it | champion | 4 | 0.700 ± " in text
    assert "| speaks | parent |  | 0.500 ± " in text


def test_tables_say_how_many_recipes_were_tried() -> None:
    """The champion's are those of the search, a tuned baseline has its own, others none."""
    tuned = replace(entry_of("sweep", "tuned", maths=9), num_evaluations=24)
    story = told(
        selection=selection_with(
            entry_of("it", "champion", maths=18), entry_of("p", "parent", maths=5), tuned
        )
    )
    table = summary_frame(story)
    assert ["champion", "parent", "tuned"] == list(table["kind"])
    assert b"sweep,tuned,24,0.45," in csv_bytes(table)
    assert b"it,champion,4,0.9," in csv_bytes(table)
    assert b"p,parent,,0.25," in csv_bytes(table)
    assert "| sweep | tuned | 24 | 0.450 ± " in summary_markdown(story, "Title")
    assert "- It beats the best tuned baseline, sweep of 24 evaluations (+0.450" in story.verdict
    assert '<td class="number">24</td>' in render_page(story.search, story, title="T")


def test_history_has_a_row_for_each_generation() -> None:
    """Its columns are the story's figures; what a race does not have is empty."""
    history = history_frame(told(raced_rows(0.4, 0.6, 0.5), is_raced=True))
    assert [0.4, 0.6, 0.5] == history["best"].tolist()
    assert history["best_so_far"].isna().all()
    assert ["generation", "best", "best_stderr", "mean"] == list(history.columns)[:4]


def test_lineage_tables_agree(tmp_path: Path) -> None:
    """CSV and Parquet hold the same lineage, one row for each candidate."""
    table = lineage_frame(told())
    path = tmp_path / "lineage"
    path.write_bytes(csv_bytes(table))
    from_csv = pd.read_csv(path)
    path.write_bytes(parquet_bytes(table))
    from_parquet = pd.read_parquet(path)
    assert 13 == len(from_csv)
    assert list(from_csv.columns) == list(from_parquet.columns)
    assert from_csv["fitness"].equals(from_parquet["fitness"])
    assert from_csv["name"].tolist() == from_parquet["name"].tolist()
