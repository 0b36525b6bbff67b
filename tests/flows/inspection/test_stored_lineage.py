"""Rows, selection and items as they lie on disk, whole or mixed up."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from flows.inspection.item_scores import item_scores
from flows.inspection.project_folder import SELECTION
from flows.inspection.stored_lineage import StoredLineage, read_half, read_lineage
from stages.errors import LineageError
from stages.lineage.rows import LINEAGE, write_rows
from tests.flows.inspection.small_run import CHAMPION, RIGHT, evaluation_of, write_half, write_run


def test_rows_have_the_scores_of_all_splits(stored: StoredLineage) -> None:
    """Where the selection is of the same search; the champion is found by that word."""
    champion = stored.row("champion")
    assert CHAMPION == champion.name
    assert {"search", "validation", "test"} == set(champion.scores)
    assert {"maths": 2.0, "words": 1.0} == stored.weights


def test_a_selection_of_another_search_is_left_out(tmp_path: Path) -> None:
    """The search went on since; its rows count, and nobody is champion."""
    rows = write_run(tmp_path)
    write_rows(tmp_path / LINEAGE / "genomes.jsonl", rows[:-1])
    stored = read_lineage(tmp_path)
    assert (7, None, {}) == (len(stored.rows), stored.selection, stored.weights)
    with pytest.raises(LineageError, match="candidate champion: no champion was chosen"):
        stored.row("champion")


def test_a_row_with_the_recipe_of_another_is_refused(tmp_path: Path) -> None:
    """What is exported or merged again would be another child than the one that was scored."""
    rows = write_run(tmp_path)
    edited = replace(rows[0], recipe=replace(rows[0].recipe, seed=7))
    write_rows(tmp_path / LINEAGE / "genomes.jsonl", [edited, *rows[1:]])
    stored = read_lineage(tmp_path / LINEAGE)

    assert rows[1] == stored.row(rows[1].name)
    with pytest.raises(LineageError, match=r"its recipe has the id .*, its row in .*genomes"):
        stored.row(rows[0].name)


def test_a_folder_of_rows_alone_is_read(tmp_path: Path) -> None:
    """A lineage that somebody sent, without a project."""
    write_run(tmp_path)
    assert len(RIGHT) == len(read_lineage(tmp_path / LINEAGE).rows)


def test_a_search_in_a_half_is_read_with_its_items(tmp_path: Path) -> None:
    """Its items are those of the project; of a half that was not searched the key is named."""
    rows = write_run(tmp_path)
    write_rows(tmp_path / SELECTION / "layers" / "genomes.jsonl", rows[:4])
    stored = read_half(tmp_path, "layers")
    assert (4, None, {"maths": 2.0, "words": 1.0}) == (
        len(stored.rows),
        stored.selection,
        stored.weights,
    )
    assert evaluation_of("search", ("1000", "0000")) == stored.evaluation(rows[0], "search")
    with pytest.raises(LineageError, match="searched no parameters alone; set select"):
        read_half(tmp_path, "parameters")


def test_a_half_has_its_items_wherever_it_is_read(tmp_path: Path) -> None:
    """By its folder as by its project: the tested row, its items, and a table of all answers."""
    write_run(tmp_path)
    rows = write_half(tmp_path, 4)
    for half in (read_half(tmp_path, "layers"), read_lineage(tmp_path / SELECTION / "layers")):
        assert half.tested_row is not None
        assert rows[3].name == half.tested_row.name
        assert evaluation_of("search", ("1110", "1100")) == half.evaluation(rows[3], "search")
        table = item_scores(half)
        # the fourth was not scored on its validation items, and one of the four failed
        assert {"search": 3 * 8, "test": 8} == dict(table["split"].value_counts())
        assert {"candidate"} == set(table["kind"])


def test_item_scores_are_those_of_the_row(stored: StoredLineage) -> None:
    """On every split that it met."""
    row = stored.row(CHAMPION)
    assert evaluation_of("search", ("1111", "1101")) == stored.evaluation(row, "search")
    assert evaluation_of("test", ("1111", "1100")) == stored.evaluation(row, "test")


def test_items_of_another_run_are_refused(tmp_path: Path, stored: StoredLineage) -> None:
    """Those with other scores, and those that are missing, each in its words."""
    row = stored.row("g01-c02")
    items = tmp_path / LINEAGE / "items"
    (path,) = [path for path in items.iterdir() if row.id in path.read_text()]
    other = next(path for path in items.iterdir() if stored.rows[0].id in path.read_text())
    path.write_text(other.read_text().replace(stored.rows[0].id, row.id))
    with pytest.raises(LineageError, match=r"g01-c02: its search items .* give other scores"):
        stored.evaluation(row, "search")
    path.write_text(path.read_text()[:-100] + f'"recipe":"{row.id}"')
    with pytest.raises(LineageError, match=f"{path.name}: not an evaluation .*dvc checkout"):
        stored.evaluation(row, "search")
    shutil.rmtree(items)
    with pytest.raises(LineageError, match=r"g01-c02: its search items are not in"):
        stored.evaluation(row, "search")


def test_a_selection_and_rows_of_two_runs_are_refused(tmp_path: Path) -> None:
    """Where the champion is not among the rows, or has another id there."""
    write_run(tmp_path)
    path = tmp_path / SELECTION / "selection.json"
    path.write_text(path.read_text().replace(CHAMPION, "g09-c09"))
    with pytest.raises(LineageError, match=r"champion g09-c09 \(.*\) is not among the rows"):
        read_lineage(tmp_path)


def test_a_lineage_cut_off_in_a_line_is_refused_with_the_line(tmp_path: Path) -> None:
    """Half a row is not read as none."""
    write_run(tmp_path)
    path = tmp_path / LINEAGE / "genomes.jsonl"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(LineageError, match=r"genomes.jsonl, line 8: not a row"):
        read_lineage(tmp_path)
