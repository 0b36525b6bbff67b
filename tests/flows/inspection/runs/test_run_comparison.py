"""Two runs compared: champions in pairs, cost, and what they were asked for."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flows.cli.main import main
from flows.inspection.project_folder import SELECTION
from flows.inspection.runs.run_comparison import RunComparison, compare_runs
from flows.inspection.runs.run_source import stored_run
from flows.workspace.repository import start_repository
from stages.errors import LineageError
from stages.lineage.rows import LINEAGE, read_rows, write_rows
from tests.flows.inspection.small_run import CHAMPION, write_half, write_run

PARAMS = "select: {{seed: {seed}, population: 4}}\nevaluate: {{tasks: [{{task: maths}}]}}\n"


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of two projects: in the second the search alone has ended, with another seed."""
    for seed, name in enumerate(("one", "two"), start=1):
        write_run(tmp_path / name, is_selected=name == "one")
        (tmp_path / name / "params.yaml").write_text(PARAMS.format(seed=seed))
    rows = read_rows(tmp_path / "two" / LINEAGE / "genomes.jsonl")
    write_rows(tmp_path / "two" / LINEAGE / "genomes.jsonl", rows[:-1])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def compared(first: str, second: str) -> RunComparison:
    """Return the comparison of two runs."""
    with stored_run(first) as one, stored_run(second) as other:
        return compare_runs(one, other)


@pytest.mark.usefixtures("two")
def test_projects_are_compared_by_their_best() -> None:
    """Champion or best of the search; pairs on what both answered; params and items."""
    comparison = compared("one", "two")
    assert (CHAMPION, True, "g01-c01", False) == (
        comparison.first.best.name,
        comparison.first.is_champion,
        comparison.second.best.name,
        comparison.second.is_champion,
    )
    (search,) = comparison.splits
    assert ("search", 8) == (search.split, search.num_shared)
    assert ({"search0", "search1"}, {"search2"}) == (
        {change.item for change in search.gained},
        {change.item for change in search.lost},
    )
    assert {"select.seed": (1, 2)} == comparison.params
    assert {"search": 56, "validation": 16, "test": 16} == comparison.first.items
    assert {"search": 48} == comparison.second.items
    assert comparison.first.lead is not None
    # Two of four more in maths, which weighs two thirds, and two of four more in words.
    assert pytest.approx(0.5) == comparison.first.lead.difference
    assert not comparison.is_empty


def test_a_half_is_compared_with_the_whole_by_items(two: Path) -> None:
    """The champion against what the search in the layers alone gave, on search and test items."""
    rows = write_half(two / "one", 4)
    for half in ("one/data/selection/layers", str(two / "one/data/selection/layers")):
        comparison = compared("one", half)
        assert (rows[3].name, True) == (comparison.second.best.name, comparison.second.is_champion)
        assert ["search", "test"] == [split.split for split in comparison.splits]
        assert [8, 8] == [split.num_shared for split in comparison.splits]
    with stored_run("one", "layers") as one, stored_run("one", "layers") as other:
        assert compare_runs(one, other).is_empty


@pytest.mark.usefixtures("two")
def test_a_run_does_not_differ_from_itself() -> None:
    """On all three splits."""
    comparison = compared("one", "one")
    assert comparison.is_empty
    assert ["search", "validation", "test"] == [one.split for one in comparison.splits]


def test_folders_of_rows_alone_are_runs(two: Path) -> None:
    """Params are unknown, and items are compared where they are there."""
    comparison = compared("one/data/lineage", "one/data/selection")
    assert (None, (), True) == (comparison.params, comparison.splits, comparison.is_empty)
    shutil.rmtree(two / "one" / LINEAGE / "items")
    with pytest.raises(LineageError, match="its search items are not in"):
        compared("one", "one")


def test_the_working_folder_means_its_project(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As every command does; a folder below it that holds no run may be mistyped, and is named."""
    (two / "one/dvc.yaml").touch()
    (two / "one/data/tasks").mkdir()
    monkeypatch.chdir(two / "one/data")
    comparison = compared(".", str(two / "two"))
    assert (CHAMPION, {"select.seed": (1, 2)}) == (comparison.first.best.name, comparison.params)
    with pytest.raises(LineageError, match=r"run tasks: .*/data/tasks/data/lineage"):
        compared(".", "tasks")


@pytest.mark.usefixtures("two")
def test_a_run_without_a_scored_candidate_is_refused(two: Path) -> None:
    """There is nothing to compare."""
    rows = read_rows(two / "two" / LINEAGE / "genomes.jsonl")
    failed = [row for row in rows if row.fitness is None]
    write_rows(two / "two" / LINEAGE / "genomes.jsonl", failed)
    with pytest.raises(LineageError, match=r"run two: none of its 1 .* Give another run"):
        compared("one", "two")


def typed(*words: str, code: int) -> Result:
    """Run the command; it must end with ``code``."""
    result = CliRunner().invoke(main, ["compare", *words])
    assert code == result.exit_code, (result.output, result.exception)
    return result


@pytest.mark.usefixtures("two")
def test_the_command_prints_a_table_and_json() -> None:
    """Exit code 1 where the runs differ, 0 where not; a wrong name is one line."""
    table = typed("one", "two", code=1).stdout
    for expected in (
        "g02-c01",
        "best of the search",
        "8 shared items: one less two",
        "select.seed",
    ):
        assert expected in table
    data = json.loads(typed("one", "two", "--json", code=1).stdout)
    assert {"select.seed": [1, 2]} == data["params"]
    typed("one", "one", code=0)
    said = typed("one", "three", code=1).stderr
    assert said.startswith("error: run three: not a folder, and there is no project here")
    assert "dvc repro evolve" in typed("one", ".", code=1).stderr


@pytest.mark.slow
def test_a_git_revision_is_a_run(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its outputs come from DVC's cache; what is in the folder now is not touched."""
    project = two / "one"
    monkeypatch.chdir(project)
    (project / "dvc.yaml").write_text(
        f"stages:\n  evolve:\n    cmd: 'true'\n    outs: [{LINEAGE}, {SELECTION}]\n"
    )
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b")
    for command in (
        ("git", "init", "-q"),
        ("dvc", "init", "-q"),
        ("dvc", "commit", "-q", "-f"),
        ("git", "add", "."),
        (*git, "commit", "-qm", "One"),
    ):
        subprocess.run(command, check=True)
    (project / "params.yaml").write_text(PARAMS.format(seed=3))
    typed("HEAD", "HEAD", code=0)
    data = json.loads(typed("HEAD", ".", "--json", code=1).stdout)
    assert {"select.seed": [1, 3]} == data["params"]
    said = typed("HEAD", "nowhere", code=1).stderr
    assert "run nowhere: neither a folder, nor a git revision or DVC experiment" in said
    shutil.rmtree(project / ".dvc/cache")
    assert "not in DVC's cache" in typed("HEAD", ".", code=1).stderr


def test_a_project_without_a_commit_is_said_to_have_no_such_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project that `germline new` has just made: no traceback of git's for a slip of a name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS.format(seed=1))
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    start_repository(tmp_path)
    said = typed("HEAD", "nowhere", code=1).stderr
    assert "run HEAD: neither a folder, nor a git revision or DVC experiment" in said
