"""Folders that are filled once for all the processes that the tests are spread over."""

from collections.abc import Callable
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
