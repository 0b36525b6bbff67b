"""What a command says when it cannot go on."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.execution.error_log import ERROR_LOG
from flows.inspection.terminal_faults import fault_of_system, one_line_faults
from stages.errors import CheckpointError

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracebacks go to a folder of the test."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.EISDIR, "A file is needed there."),
        (errno.EACCES, "Give yourself the right to it"),
        (errno.ENOSPC, "Free some of the disk"),
        (errno.EFBIG, "Allow larger files"),
        (errno.ENOTDIR, "A part of the path is a file, not a folder."),
        (errno.ENOENT, "Put it there"),
        (errno.EIO, "The disk, or the share that it is on, fails"),
        (errno.ESTALE, "The disk, or the share that it is on, fails"),
    ],
)
def test_a_refusal_of_the_system_names_path_and_remedy(code: int, remedy: str) -> None:
    """The path comes first, no error number is shown, and no traceback is written."""
    said = fault_of_system(OSError(code, "Refused", "a/file"))
    assert said.startswith("a/file: Refused. ")
    assert remedy in said
    assert "Errno" not in said
    assert not ERROR_LOG.exists()


def test_a_refusal_without_a_path_names_its_traceback() -> None:
    """What no path is known of can be looked up, and the remedy is given all the same."""
    said = fault_of_system(OSError(errno.ENOSPC, "No space left on device"))
    assert str(ERROR_LOG) in said
    assert ERROR_LOG.is_file()
    assert "Free some of the disk" in said


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (CheckpointError("a: gone.\nb: \x1b[2J"), 1, ["error: a: gone.", "error: b: \\x1b[2J"]),
        (KeyboardInterrupt(), 130, ["stopped: nothing was written"]),
        (KeyboardInterrupt("stopped: 2 files are kept"), 130, ["stopped: 2 files are kept"]),
    ],
)
def test_a_fault_ends_a_command_with_one_line(
    error: BaseException, code: int, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each fault is a line that steers no terminal; Ctrl-C ends with 130."""
    with pytest.raises(SystemExit) as ended, one_line_faults(stopped="nothing was written"):
        raise error
    assert code == ended.value.code
    assert said == capsys.readouterr().err.splitlines()


def test_a_closed_pipe_is_left_to_click() -> None:
    """`germline lineage list | head` ends without a word."""
    with pytest.raises(BrokenPipeError), one_line_faults():
        raise BrokenPipeError


def test_ctrl_c_in_an_executed_text_ends_with_130(tmp_path: Path) -> None:
    """Python itself would end such a process by the signal, after the right words."""
    (tmp_path / "interrupted.py").write_text(
        "from flows.inspection.terminal_faults import one_line_faults\n"
        "with one_line_faults():\n"
        "    exec('raise KeyboardInterrupt')\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    ended = subprocess.run(
        [sys.executable, "-m", "interrupted"], env=environment, capture_output=True, check=False
    )
    assert 130 == ended.returncode
    assert ended.stderr.startswith(b"stopped: ")


def test_a_system_without_threads_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Python says it by a RuntimeError's text; another RuntimeError is a defect, and is raised."""
    with pytest.raises(SystemExit), one_line_faults():
        raise RuntimeError("can't start new thread")
    said = capsys.readouterr().err.splitlines()
    assert 1 == len(said)
    assert "the system allows no more threads. Allow more processes (`ulimit -u`)" in said[0]
    with pytest.raises(RuntimeError), one_line_faults():
        raise RuntimeError("another")
