"""``germline lineage`` and ``germline export`` as a person types them."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from flows.cli.main import main
from stages.lineage.rows import LINEAGE, read_rows
from stages.recipe.recipe import Recipe
from tests.flows.inspection.small_run import CHAMPION, RIGHT, recipe_of, write_run

ROOT = Path(__file__).parents[4]


@pytest.fixture
def at_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small run; the working folder is one inside it."""
    write_run(tmp_path)
    monkeypatch.chdir(tmp_path / "data")
    return tmp_path


def germline(*words: str, code: int = 0) -> Result:
    """Run the command; it must end with ``code``."""
    result = CliRunner().invoke(main, list(words))
    assert code == result.exit_code, (result.output, result.exception)
    return result


@pytest.mark.usefixtures("at_run")
def test_list_prints_a_table_json_and_csv() -> None:
    """The same rows in the same order, from a folder inside the project."""
    words = ("lineage", "list", "--task", "words", "--where", "fitness>0", "--limit", "3")
    table = germline(*words).stdout
    names = [line.split()[0] for line in table.splitlines() if line.strip().startswith("g0")]
    assert ["g01-c02", "g02-c00", "g02-c01"] == names
    assert "maths" not in table
    rows = json.loads(germline(*words, "--json").stdout)
    assert names == [row["name"] for row in rows]
    assert {"recipe", "genes", "scores", "schema", "seed"} <= set(rows[0])
    records = list(csv.DictReader(io.StringIO(germline(*words, "--csv").stdout)))
    assert names == [record["name"] for record in records]
    assert "1.0" == records[0]["search.words.score"]
    germline("lineage", "list", "--csv", "--json", code=2)


@pytest.mark.parametrize(
    "words",
    [
        ("lineage", "list"),
        ("lineage", "show", "g00-c00"),
        ("lineage", "diff", "g00-c00", "g00-c01"),
        ("lineage", "ancestors", CHAMPION),
        ("lineage", "export", "rows.csv"),
        ("export", CHAMPION),
        ("materialize", "g00-c00", "out"),
        ("compare", ".", "."),
        ("status",),
    ],
    ids=" ".join,
)
def test_an_id_without_a_hashs_digits_ends_every_command(
    at_run: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """What reads the lineage says the file, the line, what is there, what is legal, what to do."""
    monkeypatch.chdir(at_run)
    for path in at_run.glob("data/*/genomes.jsonl"):
        first, *rest = path.read_text().splitlines(keepends=True)
        path.write_text(first.replace('"id":"', '"id":"no-hash-', 1) + "".join(rest))
    said = germline(*words, code=1).stderr.splitlines()
    assert 1 == len(said)
    assert f"{LINEAGE}/genomes.jsonl, line 1: not a row of the lineage (id is 'no-hash-" in said[0]
    assert "64 digits of 0-9 and a-f" in said[0]
    assert "restore it with `dvc checkout`" in said[0]


@pytest.mark.usefixtures("at_run")
def test_show_says_all_that_is_known() -> None:
    """Scores with errors and items, genes, inputs, recipe, cost and the commands to rebuild it."""
    said = germline("lineage", "show", "champion").stdout
    for expected in (
        f"{CHAMPION}: champion, generation 2, ok",
        "1.0000 ± 0.2000 of 4",
        "8 search, 8 validation, 8 test",
        "base      base  " + "b" * 64,
        "parent    one  " + "1" * 64,
        "seed         7",
        "torch 2",
        "method: task_arithmetic",
        f"germline materialize {recipe_of(7).id[:16]} {CHAMPION}",
    ):
        assert expected in said
    data = json.loads(germline("lineage", "show", CHAMPION, "--json").stdout)
    assert {"search": 8, "validation": 8, "test": 8} == data["cost"]
    assert 0.2 == data["figures"]["search"]["tasks"][0]["error"]
    failed = germline("lineage", "show", "g00-c02").stdout
    assert "error: ran out of time" in failed
    assert "none: it was not merged" in failed
    assert "rebuild" not in failed


@pytest.mark.usefixtures("at_run")
def test_show_names_genes_that_never_varied_in_a_line() -> None:
    """The table has what the search chose; a bound of one value is not such a thing."""
    said = germline("lineage", "show", "champion").stdout
    assert "the same in every candidate: all.weight.two 0.5\n" in said
    (heading,) = [line for line in said.splitlines() if line.strip().startswith("layers")]
    assert ["layers", "weight.one"] == heading.split()


def test_a_champion_that_was_not_chosen_yet_is_said(at_run: Path) -> None:
    """While a search runs, and before `select`."""
    shutil.rmtree(at_run / "data/selection")
    assert "no champion was chosen" in germline("lineage", "show", "champion", code=1).stderr


@pytest.mark.usefixtures("at_run")
def test_diff_ends_with_1_where_candidates_differ() -> None:
    """And with 0 where they are the same."""
    said = germline("lineage", "diff", "champion", "g01-c02", code=1).stdout
    assert "4 items gained by g02-c01 (score of g01-c02 → of g02-c01)" in said
    assert "maths  search0  0 → 1" in said
    assert "one recipe" in germline("lineage", "diff", "champion", CHAMPION).stdout
    data = json.loads(germline("lineage", "diff", "g01-c00", "g01-c01", "--json", code=1).stdout)
    (split,) = [one for one in data["splits"] if one["split"] == "search"]
    assert ["search0", "search1"] == [one["item"] for one in split["gained"]]
    assert ["search3", "search2", "search3"] == [one["item"] for one in split["lost"]]


@pytest.mark.usefixtures("at_run")
def test_ancestors_are_a_tree_to_the_warm_starts() -> None:
    """With the fitness of each."""
    said = germline("lineage", "ancestors", CHAMPION).stdout
    assert said.startswith(f"{CHAMPION}  0.9167 ± 0.1572\n├── g01-c00  ")
    assert "uniform (start)" in said
    data = json.loads(germline("lineage", "ancestors", CHAMPION, "--depth", "1", "--json").stdout)
    assert [True] * 3 == [one["is_cut"] for one in data["ancestors"]]


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_export_writes_a_new_file_of_all_rows(at_run: Path, kind: str) -> None:
    """It replaces none unless it is told to."""
    name = f"rows.{kind}"
    assert f"{name}: 8 rows\n" == germline("lineage", "export", name).stdout
    path = at_run / "data" / name
    if kind == "jsonl":
        assert [*RIGHT] == [row.name for row in read_rows(path)]
    else:
        table = pd.read_csv(path) if kind == "csv" else pd.read_parquet(path)
        assert [*RIGHT] == list(table["name"])
    path.write_text("mine")
    assert "already there" in germline("lineage", "export", name, code=1).stderr
    assert "mine" == path.read_text()
    germline("lineage", "export", name, "--force")
    assert "mine" != path.read_text(errors="replace")
    assert "let it end in .csv" in germline("lineage", "export", "rows", code=2).stderr.lower()
    assert "is a folder" in germline("lineage", "export", ".", "--format", kind, code=1).stderr
    assert "no folder none" in germline("lineage", "export", f"none/a.{kind}", code=1).stderr


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_export_of_items_has_a_row_for_each_answer(at_run: Path, kind: str) -> None:
    """Of candidates on each split, and of what else met the test split."""
    said = germline("lineage", "export", f"items.{kind}", "--items").stdout
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {
        "csv": pd.read_csv,
        "parquet": pd.read_parquet,
        "jsonl": lambda path: pd.DataFrame(map(json.loads, path.read_text().splitlines())),
    }
    table = readers[kind](at_run / "data" / f"items.{kind}")
    assert ["name", "kind", "split", "task", "item", "score"] == list(table.columns)
    # 7 of 8 were scored on the search items, 2 on validation, champion and a parent on test items
    assert {"search": 56, "validation": 16, "test": 16} == dict(table["split"].value_counts())
    assert {"candidate", "parent"} == set(table["kind"])
    assert f"items.{kind}: 88 rows\n" == said


def test_export_of_a_recipe_is_the_recipe(at_run: Path) -> None:
    """As JSON that gives the same id; printed, or in a new file."""
    row = read_rows(at_run / LINEAGE / "genomes.jsonl")[3]
    text = germline("export", row.id[:6]).stdout
    assert row.id == Recipe.from_dict(json.loads(text)).id
    assert "the recipe of g01-c00" in germline("export", row.name, "recipe.json").stdout
    assert text == (at_run / "data/recipe.json").read_text()
    assert "already there" in germline("export", row.name, "recipe.json", code=1).stderr
    said = germline("export", row.name, "--format", "mergekit", code=1).stderr
    assert said.count("error: ") == len(said.splitlines())
    assert said == germline("export", row.name, "recipe.yml", code=1).stderr
    both = germline("export", row.name, "recipe.yml", "--format", "recipe", code=1).stderr
    assert "ends in .yml" in both
    assert not (at_run / "data/recipe.yml").exists()


def test_faults_are_one_line_that_steers_no_terminal(at_run: Path) -> None:
    """Unknown ids with the nearest, damaged lines by number, names as they are."""
    said = germline("lineage", "show", "g2-c1", code=1).stderr
    assert "Did you mean 'g02-c01'" in said
    assert "holds 8 candidates, g00-c00 to g02-c01" in said
    assert "\x1b" not in germline("lineage", "show", "a\x1b[31m", code=1).stderr
    for word, kind in (("two", "a parent"), ("one", "a parent"), ("base", "the base")):
        said = germline("lineage", "show", word, code=1).stderr
        assert f"candidate {word}: it is {kind} of this run, not a candidate." in said
    assert (
        "On the test items its fitness is 0.3333 (maths 0.5000, words 0.0000)."
        in germline("lineage", "show", "one", code=1).stderr
    )
    (at_run / "data/parents/two").mkdir(parents=True)
    said = germline("lineage", "show", "two", code=1).stderr
    assert "`germline evaluate data/parents/two` scores it" in said
    (at_run / "data/selection/selection.json").write_text("[]")
    said = germline("lineage", "list", code=1).stderr
    assert "selection.json: not a selection (it holds a list, and a selection is an object" in said
    shutil.rmtree(at_run / "data/selection")
    path = at_run / LINEAGE / "genomes.jsonl"
    text = path.read_text()
    path.write_text(text.replace("ran out of time", "<b>late</b>\\u001b[2J"))
    for words in (("list",), ("show", "g00-c02"), ("list", "--json"), ("list", "--csv")):
        output = germline("lineage", *words).stdout
        assert "<b>late</b>" in output
        assert "\x1b" not in output
        assert "2J" in output
    path.write_text(text[:-200])
    assert "line 8: not a row" in germline("lineage", "list", code=1).stderr
    path.write_text("")
    assert "none of 0 candidates" in germline("lineage", "list").stdout
    assert "holds no candidate" in germline("lineage", "show", "g00-c00", code=1).stderr
    path.unlink()
    assert "dvc repro evolve" in germline("lineage", "list", code=1).stderr


@pytest.mark.usefixtures("at_run")
def test_a_closed_pipe_is_not_a_fault() -> None:
    """As with ``| head -1``: nothing is said."""
    pipe = subprocess.Popen(
        [sys.executable, "-m", "germline", "lineage", "list", "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert pipe.stdout is not None
    assert pipe.stderr is not None
    pipe.stdout.readline()
    pipe.stdout.close()
    assert "" == pipe.stderr.read()
    assert pipe.wait() in {0, 1}


@pytest.mark.parametrize("given", ["x", "3-2", "-1", "1-", "1.5"])
@pytest.mark.usefixtures("at_run")
def test_a_generation_is_a_number_or_two(given: str) -> None:
    """Another text is wrong usage."""
    said = germline("lineage", "list", f"--generation={given}", code=2).stderr
    assert "is not a generation. Write 3 or 2-5" in said
    assert "g01-c00" in germline("lineage", "list", "--generation", "1-2").stdout
