"""The lineage, held to round trips, to deterministic bytes, and to what a crash leaves behind."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stages.errors import LineageError
from stages.lineage.evaluation import Evaluation, ItemScore, TaskScore
from stages.lineage.outcome import Outcome
from stages.lineage.rows import Row, candidate_name, equal_scores, read_rows, write_rows
from stages.lineage.table import frame
from stages.recipe.candidate import Candidate
from stages.recipe.recipe import Model, Recipe, Rule

WEIGHTS = {"arc": 1.0}


def _candidate(generation: int, number: int) -> Candidate:
    """Return a candidate of one gene."""
    recipe = Recipe.of_models("linear", (Model("p0", "aa"),), (Rule({"weight": (number / 10,)}),))
    name = candidate_name(generation, number)
    return Candidate(name, (number / 10,), recipe, generation, ("p0",))


def _ok(generation: int, number: int) -> Row:
    """Return the row of an evaluated candidate."""
    evaluation = Evaluation(
        "search",
        (TaskScore("arc", "acc", number / 10, 0.1, 4, True),),
        (ItemScore("arc", "i0", 1.0),),
    )
    outcome = Outcome("ff", evaluation)
    return Row.of(
        _candidate(generation, number), {"weight.p0": number / 10}, outcome, weights=WEIGHTS
    )


def _failed(generation: int, number: int) -> Row:
    """Return the row of a failed candidate."""
    outcome = Outcome(None, None, "ran out: of time")
    return Row.of(_candidate(generation, number), {"weight.p0": 0.0}, outcome, weights=WEIGHTS)


def test_names_count_from_zero_and_grow() -> None:
    """Names have two digits, and more where they must."""
    assert ["g00-c00", "g03-c07", "g12-c110"] == [
        candidate_name(0, 0),
        candidate_name(3, 7),
        candidate_name(12, 110),
    ]


def test_rows_survive_a_round_trip(tmp_path: Path) -> None:
    """What is read is what was written, failed rows included."""
    rows = [_ok(0, 1), _failed(0, 2), _ok(1, 0)]
    write_rows(tmp_path / "genomes.jsonl", rows)
    assert rows == read_rows(tmp_path / "genomes.jsonl")


def test_bytes_do_not_depend_on_the_order_of_evaluation(tmp_path: Path) -> None:
    """Rows are written by generation and place, 100 after 99."""
    rows = [_ok(g, p) for g in (0, 1, 10) for p in (0, 9, 99, 100)]
    write_rows(tmp_path / "a", rows)
    write_rows(tmp_path / "b", rows[::-1])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert [row.name for row in rows] == [row.name for row in read_rows(tmp_path / "b")]
    assert ["a", "b"] == sorted(path.name for path in tmp_path.iterdir())


def test_a_name_is_written_once(tmp_path: Path) -> None:
    """Two rows of one name are refused before anything is written."""
    with pytest.raises(LineageError, match="g00-c01 is given twice"):
        write_rows(tmp_path / "a", [_ok(0, 1), _failed(0, 1)])
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("damage", ["{", '{"name": 1}', "[]", "torn"])
def test_damage_is_reported_by_line(tmp_path: Path, damage: str) -> None:
    """A line that is not a row stops the reading; the message says which line and what to do."""
    path = tmp_path / "genomes.jsonl"
    write_rows(path, [_ok(0, 1)])
    path.write_text(path.read_text() + damage + "\n")
    with pytest.raises(LineageError, match=r"line 2: not a row.*dvc checkout") as raised:
        read_rows(path)
    assert "line 1" not in str(raised.value)


@pytest.mark.parametrize("odd", ["g" * 64, "a" * 63, "A" * 64, "a" * 64 + "\n", ""])
def test_an_id_without_a_hashs_digits_is_damage(tmp_path: Path, odd: str) -> None:
    """Its line, what is there, what is legal and what to do are said, on one line."""
    path = tmp_path / "genomes.jsonl"
    write_rows(path, [_ok(0, 1), replace(_ok(0, 2), id=odd)])
    with pytest.raises(LineageError) as raised:
        read_rows(path)
    said = f"{path}, line 2: not a row of the lineage (id is {odd!r}; it must be a recipe's "
    assert str(raised.value).startswith(said)
    assert f"64 digits of 0-9 and a-f, and has {len(odd)} signs)" in str(raised.value)
    assert 1 == len(str(raised.value).splitlines())


def test_a_row_may_not_contradict_itself(tmp_path: Path) -> None:
    """A failed row with a fitness is damage."""
    path = tmp_path / "genomes.jsonl"
    write_rows(path, [replace(_ok(0, 1), status="failed")])
    with pytest.raises(LineageError, match=r"status is 'failed' and fitness is 0\.1"):
        read_rows(path)


def test_a_missing_lineage_says_how_to_make_it(tmp_path: Path) -> None:
    """Reading before the run names the command that makes the file."""
    with pytest.raises(LineageError, match="dvc repro evolve"):
        read_rows(tmp_path / "none")


def test_frame_is_flat_and_keeps_the_order() -> None:
    """One row each, columns for genes, parents and scores; a failed row has empty scores."""
    table = frame([_ok(0, 1), _failed(0, 2)])
    assert ["g00-c01", "g00-c02"] == list(table["name"])
    assert 0.1 == table["search.arc.score"][0]
    assert table["search.arc.score"].isna()[1]
    assert {"gene.weight.p0", "parent.p0", "search.arc.stderr", "search.arc.num_items"} <= {
        *table.columns
    }
    assert ["error", "recipe"] == list(table.columns[-2:])
    recipe = Recipe.from_dict(json.loads(table["recipe"][0]))
    assert table["id"][0] == recipe.id


def test_a_row_has_an_evaluation_or_an_error() -> None:
    """A failed row says why; the brief of either is plain data."""
    assert ("failed", None, "ran out: of time") == (
        (row := _failed(0, 2)).status,
        row.fitness,
        row.error,
    )
    assert {"name": "g00-c01", "fitness": 0.1} == dict(list(_ok(0, 1).brief().items())[:2])


def test_a_row_takes_the_scores_of_later_splits() -> None:
    """Scores of another split stand next to those of the search, in the order of the splits."""
    row = _ok(0, 3)
    task = TaskScore("arc", "acc", 0.5, 0.1, 4, True)
    later = row.also(Evaluation("test", (task,), ())).also(Evaluation("validation", (task,), ()))

    columns = [c for c in frame([later]).columns if c.endswith(".score")]

    assert row.fitness == later.fitness
    assert ["search.arc.score", "validation.arc.score", "test.arc.score"] == columns


def test_a_name_is_read_once(tmp_path: Path) -> None:
    """Two tables in one file are those of two runs, and the line where that shows is said."""
    path = tmp_path / "genomes.jsonl"
    write_rows(path, [_ok(0, 1), _ok(0, 2)])
    path.write_text(path.read_text() * 2)
    with pytest.raises(LineageError, match=r"line 3: .*g00-c01 is line 1 already"):
        read_rows(path)


def test_tasks_that_tell_no_candidates_apart_are_known() -> None:
    """Failed rows have no part in it, and one recipe alone shows nothing."""
    alike = [replace(_ok(0, 3), id=name) for name in ("one", "two")]
    assert {"arc": 0.3} == equal_scores([*alike, _failed(0, 4)])
    assert {} == equal_scores([*alike, _ok(0, 5)])
    assert {} == equal_scores([_ok(0, 3), _ok(0, 3)]) == equal_scores([_failed(0, 1)])


def test_a_notebook_shows_no_error_of_zero_where_all_items_are_alike() -> None:
    """Nine of nine right: the row holds 0, and what is shown is the error of such a score."""
    scores = {"score": 1.0, "stderr": 0.0, "num_items": 9, "metric": "acc"}
    row = replace(_ok(0, 1), scores={"search": {"maths": {**scores, "higher_is_better": True}}})
    assert "<td>1</td><td>0.1</td>" in row._repr_html_()
