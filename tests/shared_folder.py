"""What is made once for all the processes that the tests are spread over: folders, servers."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


def filled_once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """Return ``folder``, which the first process that asks for it fills.

    It has another name until it is whole.
    """
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if not folder.exists():
            unfinished = folder.with_name(f"{folder.name}.new")
            unfinished.mkdir()
            fill(unfinished)
            unfinished.rename(folder)
    return folder


@contextmanager
def started_once(name: Path, start: Callable[[], str], end: Callable[[], None]) -> Iterator[str]:
    """Yield the address of a server, which the first process that asks for it starts.

    That process waits at its end until no other uses the server, and ends it. One that asks later
    starts another. ``name`` is the path of the files by which they agree, without suffix.
    """
    note, is_own = name.with_suffix(".address"), False
    with name.with_suffix(".users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        with FileLock(name.with_suffix(".lock")):
            if not note.exists():
                note.write_text(start(), encoding="utf-8")
                is_own = True
        yield note.read_text(encoding="utf-8")
        if is_own:
            fcntl.flock(users, fcntl.LOCK_EX)
            note.unlink()
            end()
