"""What the system lacks is said before a run begins, by its own name."""

import errno
import multiprocessing
import resource
import tempfile
from collections.abc import Callable
from multiprocessing.synchronize import SemLock
from pathlib import Path
from typing import Any

import pytest

from flows.inspection.machine_limits import check_machine
from stages.errors import GermlineError


def refusing(code: int) -> Callable[..., Any]:
    """Return a function that the system refuses."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, "No space left on device")

    return refuse


def test_a_machine_that_gives_all_is_accepted() -> None:
    """The machine of the tests gives what a run needs."""
    check_machine()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_folder_of_temporary_files_is_named(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TMPDIR counts although Python passes over it: SQLite does not."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "TemporaryFile", refusing(code))
    with pytest.raises(GermlineError, match=r"No space left.*free 1.00 MB, or set TMPDIR") as said:
        check_machine()
    assert 1 == len(str(said.value).splitlines())


def test_full_shared_memory_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The locks of worker processes lie there, and not on the disk that has room."""
    monkeypatch.setattr(SemLock, "__init__", refusing(errno.ENOSPC))
    with pytest.raises(
        GermlineError, match=r"^shared memory \(/dev/shm\): No space left on device\. Worker"
    ):
        check_machine()


def _write_fault(file: Path, limit: int) -> None:
    """Write down what the check says in a process whose files may not grow beyond ``limit``."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        check_machine()
    except GermlineError as error:
        file.write_text(str(error), encoding="utf-8")


@pytest.mark.usefixtures("fork_server")
def test_a_limit_of_file_sizes_is_named(tmp_path: Path) -> None:
    """SQLite would only say "disk I/O error"."""
    said = tmp_path / "said.txt"
    process = multiprocessing.get_context("forkserver").Process(
        target=_write_fault, args=(said, 2_000_000)
    )
    process.start()
    process.join()
    expected = "file size: files may have at most 2.00 MB here, and Prefect's database needs"
    assert said.read_text(encoding="utf-8").startswith(expected)
