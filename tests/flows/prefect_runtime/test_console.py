"""What a person sees when a run cannot go on, and that two runs never share a checkout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.execution.error_log import ERROR_LOG
from flows.inspection.search_bar import SearchCount
from flows.prefect_runtime.console import PACE, SearchProgress, counted, main, only_run, say
from stages.errors import GermlineError, ParamsError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a checkout of its own."""
    monkeypatch.chdir(tmp_path)


def test_one_is_not_many() -> None:
    """Nouns go with their numbers."""
    assert ["0 tasks", "1 task", "2 tasks"] == [counted(count, "task") for count in range(3)]


def test_a_name_that_is_not_text_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A file's name may hold bytes that no encoding has; what was done is told all the same."""
    say("out-\udcff\x1b[2J: weights")
    assert r"out-\udcff\x1b[2J: weights" in capsys.readouterr().out


def test_main_prints_each_fault_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A known error is its message alone, without a traceback, and exit code 1."""

    def fail() -> None:
        raise ParamsError("params.yaml: a: wrong [x].\nparams.yaml: b: wrong.")

    with pytest.raises(SystemExit) as ended:
        main(fail)

    said = capsys.readouterr().err.splitlines()
    assert ["error: params.yaml: a: wrong [x].", "error: params.yaml: b: wrong."] == said
    assert 1 == ended.value.code


def test_main_says_that_nothing_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends with 130, as the shell expects, and says how to go on."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        main(interrupt)

    assert "goes on from there" in capsys.readouterr().err
    assert 130 == ended.value.code


def test_only_run_refuses_a_second() -> None:
    """The lock is held once, and free again after."""
    with only_run(), pytest.raises(GermlineError, match="another run"), only_run():
        pass
    with only_run():
        pass


def test_a_project_that_was_moved_during_a_run_is_named(tmp_path: Path) -> None:
    """Whatever failed for it; a run whose folder stayed fails with its own error."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    os.chdir(before)
    with pytest.raises(KeyError), only_run():
        raise KeyError
    said = f"^{before}: the project's folder was moved to {after} while a run was at work there"

    def work() -> None:
        with only_run():
            before.rename(after)
            (before / "data").read_text()

    with pytest.raises(GermlineError, match=said):
        work()


def test_progress_keeps_the_best(capsys: pytest.CaptureFixture[str]) -> None:
    """Failed candidates do not count; lines come out where there is no terminal."""
    with SearchProgress(4, "evolve") as progress:
        for fitness in (0.2, None, 0.5, 0.1):
            progress.best(fitness)
        progress.advance(4)
        progress.say("generation 0: best 0.5")

    begin, end = capsys.readouterr().out.splitlines()
    assert begin.startswith("evolve: 4 evaluations to look up or to compute")
    assert "generation 0: best 0.5" == end
    assert 0.5 == progress._best


def test_progress_is_whole_where_a_search_ends_with_fewer_than_it_said() -> None:
    """As without a centre, or by a rule; one that an error ends is not."""
    with SearchProgress(4, "evolve", is_quiet=True) as progress:
        progress.advance(3)
    assert "evolve: 3 of 3 candidates done, best -" == str(progress._count)
    progress = SearchProgress(4, "evolve", is_quiet=True)
    progress.advance(3)
    with pytest.raises(GermlineError), progress:
        raise GermlineError("one is wrong")
    assert "evolve: 3 of 4 candidates done, best -" == str(progress._count)


def test_progress_is_counted_off_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no bar, lines say how far a generation is, and a notebook reads them."""
    monkeypatch.setenv(PACE, "0")
    with SearchProgress(4, "evolve") as progress:
        progress.best(0.25)
        progress.advance(3)

    last = capsys.readouterr().out.splitlines()[-1]
    assert "evolve: 3 of 4 candidates done, best 0.2500" == last
    assert SearchCount("evolve", 3, 4, "0.2500") == SearchCount.read(last)
    assert SearchCount.read(f"{last}.") is None


def test_progress_is_counted_on_a_terminal_without_a_cursor(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There a bar is drawn once, at its end, so lines say meanwhile how far a search is."""
    monkeypatch.setenv(PACE, "0")
    monkeypatch.setenv("FORCE_COLOR", "1")
    for term, is_counted in (("xterm", False), ("dumb", True)):
        monkeypatch.setenv("TERM", term)
        with SearchProgress(4, "evolve") as progress:
            progress.advance(3)
        said = capsys.readouterr().out
        assert is_counted is ("evolve: 3 of 4 candidates done, best -" in said)
        assert is_counted is not ("━" in said)


def test_progress_forgets_the_best_of_other_items() -> None:
    """A race's best is shown until the next race, whose items are others."""
    with SearchProgress(4, "evolve") as progress:
        progress.best(0.9)
        progress.forget()
        progress.best(0.4)

    assert 0.4 == progress._best


def test_main_says_in_one_line_what_the_machine_lacks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A missing library is one line; its traceback is in the file named there."""

    def fail() -> None:
        raise ImportError("libgomp.so.1: cannot open shared object file")

    with pytest.raises(SystemExit) as ended:
        main(fail)

    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("error: ImportError: libgomp.so.1")
    assert "Traceback" in ERROR_LOG.read_text(encoding="utf-8")
    assert str(ERROR_LOG) in said
    assert said.endswith("What was evaluated is kept.")
    assert 1 == ended.value.code


@pytest.mark.parametrize("command", ["download", "evolve", "select", "report"])
def test_a_second_run_is_refused_before_anything_heavy_is_imported(command: str) -> None:
    """To say that another run is at work takes no torch, which takes seconds to load."""
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from flows.cli.main import main\n"
        f"result = CliRunner().invoke(main, [{command!r}])\n"
        "heavy = {'torch', 'prefect', 'transformers', 'pandas'} & set(sys.modules)\n"
        "print(result.exit_code, sorted(heavy), result.stderr)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with only_run():
        said = subprocess.check_output([sys.executable, "-c", code], text=True, env=environment)

    assert said.startswith("1 [] error: this checkout: another run of germline is at work here")
