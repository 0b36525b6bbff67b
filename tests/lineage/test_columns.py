"""The columns of the lineage: documented, numbered, and read in older versions."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stages.errors import LineageError
from stages.lineage.columns import COLUMNS, SCHEMA
from stages.lineage.rows import Row, candidate_name, read_rows, write_rows
from stages.recipe.recipe import Model, Recipe, Rule

DOCUMENT = Path(__file__).parents[2] / "docs/lineage.md"
TASK = {
    "score": 0.5,
    "stderr": 0.1,
    "num_items": 4,
    "metric": "acc",
    "higher_is_better": True,
}
SINCE_2 = ("schema", "seed", "environment", "num_items")


def row() -> Row:
    """Return a row of the present version."""
    recipe = Recipe.of_models("linear", (Model("p0", "aa"),), (Rule({"weight": (0.5,)}),))
    return Row(
        candidate_name(0, 0),
        recipe.id,
        0,
        ("p0",),
        {"weight.p0": 0.5},
        recipe,
        {"p0": "aa"},
        "ok",
        scores={"search": {"arc": TASK}},
        fitness=0.5,
        fitness_stderr=0.1,
        seed=3,
        environment={"torch": "2.13.0"},
    )


def write_line(path: Path, changes: dict[str, Any], without: tuple[str, ...] = ()) -> Path:
    """Write the row as a line with some columns changed and others left out."""
    data = {k: v for k, v in {**row().to_dict(), **changes}.items() if k not in without}
    path.write_text(json.dumps(data) + "\n")
    return path


def test_a_row_says_its_schema_and_has_every_column(tmp_path: Path) -> None:
    """What is written are the columns of the schema, and what is read is what was written."""
    write_rows(tmp_path / "a", [row()])
    data = json.loads((tmp_path / "a").read_text())
    assert set(COLUMNS) == {*data, "child_cost"}
    assert (SCHEMA, 4, 3) == (data["schema"], data["num_items"], data["seed"])
    assert [row()] == read_rows(tmp_path / "a")


def test_a_lineage_of_version_1_is_read(tmp_path: Path) -> None:
    """It names no schema; what it did not record is unknown."""
    (old,) = read_rows(write_line(tmp_path / "a", {}, SINCE_2))
    assert (None, {}) == (old.seed, old.environment)
    assert (row().fitness, row().recipe, 4) == (old.fitness, old.recipe, old.num_items)


def test_what_a_child_costs_is_a_column_where_it_is_an_objective(tmp_path: Path) -> None:
    """The row is read as it was written, and its cost is the last of its objectives."""
    costly = replace(row(), child_cost={"parameters": 120})
    write_rows(tmp_path / "a", [costly])
    assert json.loads((tmp_path / "a").read_text())["child_cost"] == {"parameters": 120}
    assert [costly] == read_rows(tmp_path / "a")
    assert ((0.5, -120), (0.5,)) == (costly.objectives, row().objectives)


@pytest.mark.parametrize(
    ("changes", "without", "message"),
    [
        ({"schema": SCHEMA + 1}, (), rf"schema is {SCHEMA + 1}; this version .* 1 to {SCHEMA}"),
        ({"schema": "2"}, (), "schema is '2'"),
        ({"schema": []}, (), "schema is "),
        ({"num_items": 5}, (), "num_items is 5, its search scores are of 4"),
        ({"mood": 1}, (), "columns differ: mood"),
        ({}, ("seed",), "columns differ: seed"),
        ({"scores": {"search": 1}}, (), "scores.search is 1; it must be a valid dict"),
        ({"scores": {"search": {"arc": {"score": 0.5}}}}, (), "scores.search.arc.metric is miss"),
        ({"fitness": True}, (), "fitness is True; it must be a valid number"),
        ({"ancestors": "g00"}, (), "ancestors is 'g00'; it must be a valid list"),
        ({"genes": {"a": "1"}}, (), "genes.a is '1'; it must be a valid number"),
        ({"seed": []}, (), r"seed is \[\]"),
        (
            {"scores": {"search": {"arc": {**TASK, "score": "high"}}}},
            (),
            "scores.search.arc.score is 'high'; it must be a valid number",
        ),
    ],
)
def test_a_row_of_no_known_schema_is_refused(
    tmp_path: Path, changes: dict[str, Any], without: tuple[str, ...], message: str
) -> None:
    """The line, the column and what is legal are said."""
    with pytest.raises(LineageError, match=f"line 1: not a row.*{message}"):
        read_rows(write_line(tmp_path / "a", changes, without))


def test_a_line_that_is_not_an_object_is_refused(tmp_path: Path) -> None:
    """A list is called what it is."""
    (tmp_path / "a").write_text("[1]\n", encoding="utf-8")

    with pytest.raises(LineageError, match=r"line 1: .*it is \[1\], not an object"):
        read_rows(tmp_path / "a")


def test_every_column_is_documented() -> None:
    """docs/lineage.md has the names and the meanings of the schema, in its order."""
    lines = re.findall(r"^\| `(\w+)` \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert list(COLUMNS.items()) == [line for line in lines if line[0] in COLUMNS]
    assert f"schema {SCHEMA}" in DOCUMENT.read_text()
