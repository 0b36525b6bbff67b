"""What Tab offers where a command takes a candidate."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from flows.cli.main import main
from flows.inspection.project_folder import GENOMES
from stages.lineage.rows import read_rows
from tests.flows.inspection.small_run import CHAMPION, write_run

ROOT = Path(__file__).parents[3]
OF_CANDIDATES = ("lineage show", "lineage ancestors", "lineage diff", "export", "materialize")
OF_MODELS = ("evaluate", "audit", "push-to-hub")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small run; the working folder is one inside it."""
    write_run(tmp_path)
    monkeypatch.chdir(tmp_path / "data")
    return tmp_path


def offered(words: str, begun: str) -> list[str]:
    """Return what Tab offers after ``words`` and the beginning of a word, kinds but plain said."""
    items = ShellComplete(main, {}, "germline", "_GERMLINE_COMPLETE").get_completions(
        words.split(), begun
    )
    return [item.value if item.type == "plain" else f"{item.type}:{item.value}" for item in items]


@pytest.mark.parametrize("words", [*OF_CANDIDATES, *OF_MODELS, f"lineage diff {CHAMPION}"])
def test_names_ids_and_the_champion_are_offered(project: Path, words: str) -> None:
    """Names first, of all candidates; ids once a digit of one is typed."""
    rows = read_rows(project / GENOMES)
    assert [*(row.name for row in rows), "champion"] == offered(words, "")
    assert [row.name for row in rows if row.generation == 1] == offered(words, "g01")
    assert ["champion"] == offered(words, "ch")
    assert [rows[0].id[:16]] == offered(words, rows[0].id[:5])


def test_folders_are_offered_where_no_candidate_begins_so(tmp_path: Path) -> None:
    """Of the commands that take both, also where there is no project."""
    for words in OF_MODELS:
        assert ["dir:./mo"] == offered(words, "./mo")
    (tmp_path / GENOMES).unlink()
    for words in OF_MODELS:
        assert ["dir:"] == offered(words, "")


@pytest.mark.parametrize("damage", [b"", b"\xff\x00{", b'{"id":"x","name":"\x1b[2J"}\n', None])
def test_a_damaged_lineage_is_silent(project: Path, damage: bytes | None) -> None:
    """Nothing of it is offered, no control character either, and no error is shown."""
    genomes = project / GENOMES
    genomes.unlink()
    if damage is None:
        genomes.mkdir()  # cannot be read
    else:
        genomes.write_bytes(damage)
    assert [] == [word for word in offered("lineage show", "") if word != "champion"]


def test_the_rows_of_one_half_are_offered_for_it(project: Path) -> None:
    """``--half`` before the name, as its rows have names of their own."""
    half = project / "data/selection/layers/genomes.jsonl"
    half.parent.mkdir()
    half.write_bytes((project / GENOMES).read_bytes().splitlines(keepends=True)[-1])
    last = read_rows(half)[0].name
    assert [last] == offered("lineage show --half layers", "")


def test_tab_does_not_wait_for_torch() -> None:
    """What is imported for it is click and the standard library."""
    code = (
        "import sys\nfrom click.shell_completion import ShellComplete\n"
        "from flows.cli.main import main\n"
        "shell = ShellComplete(main, {}, 'germline', '_GERMLINE_COMPLETE')\n"
        "assert shell.get_completions(['materialize'], 'g0')\n"
        "assert not {'torch', 'numpy', 'pydantic', 'dvc', 'prefect'} & {*sys.modules}\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT)})
