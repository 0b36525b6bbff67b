"""What a person sees when a run cannot go on, and that two runs never share a checkout."""

from pathlib import Path

import pytest

from flows.prefect_runtime.console import SearchProgress, main, only_run
from stages.errors import GermlineError, ParamsError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a checkout of its own."""
    monkeypatch.chdir(tmp_path)


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


def test_progress_keeps_the_best(capsys: pytest.CaptureFixture[str]) -> None:
    """Failed candidates do not count; lines come out where there is no terminal."""
    with SearchProgress(4, "evolve") as progress:
        for fitness in (0.2, None, 0.5, 0.1):
            progress.best(fitness)
        progress.advance(4)
        progress.say("generation 0: best 0.5")

    assert "generation 0: best 0.5\n" == capsys.readouterr().out
    assert 0.5 == progress._best


def test_progress_forgets_the_best_of_other_items() -> None:
    """A race's best is shown until the next race, whose items are others."""
    with SearchProgress(4, "evolve") as progress:
        progress.best(0.9)
        progress.forget()
        progress.best(0.4)

    assert 0.4 == progress._best
