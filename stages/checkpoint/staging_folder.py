"""The hidden folder in which something is made before it appears under its name.

A process that is killed leaves its folder behind. The next one that writes to the same place
removes it: a lock, which ends with its process, tells such a folder from one that is in use.
"""

import errno
import fcntl
import glob
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)
_KIND = re.compile(r"[0-9a-f]{32}")


@contextmanager
def staged(out: Path, *, replaces: bool = False) -> Iterator[Path]:
    """Give the path of a folder to make, which is ``out`` after the block: whole or not at all.

    Folders next to it are removed. Where the block raises, ``out`` stays as it was. With
    ``replaces`` what is at ``out`` goes then; a crash in between leaves no ``out``.

    Raises:
        FileExistsError: there is something at ``out`` that it does not replace.
    """
    parent, lock = claim(out)
    try:
        yield parent / out.name
        if replaces and out.exists():
            out.rename(parent / f".{out.name}.old")
        publish(parent / out.name, out)
    finally:
        shutil.rmtree(parent, ignore_errors=True)
        os.close(lock)


def publish(folder: Path, out: Path) -> None:
    """Give a finished folder the name ``out``, at which there may be an empty folder.

    Raises:
        FileExistsError: there is something else.
    """
    try:
        folder.rename(out)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        raise FileExistsError(error.errno, "something is there", str(out)) from error


def claim(out: Path) -> tuple[Path, int]:
    """Make a hidden folder next to ``out``; return it, and the descriptor that holds its lock.

    What killed processes left for the same ``out`` is removed first. A file system without locks
    keeps such folders.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    for folder in out.parent.glob(f".{glob.escape(out.name)}.*.partial"):
        if _KIND.fullmatch(folder.name[len(out.name) + 2 : -len(".partial")]):
            _remove(folder)
    while True:
        folder = out.parent / f".{out.name}.{uuid4().hex}.partial"
        try:
            folder.mkdir()
            with suppress(FileNotFoundError):  # taken for one that was left behind, just now
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
                if _lock(descriptor) != errno.EWOULDBLOCK and folder.is_dir():
                    return folder, descriptor
                os.close(descriptor)
        except BaseException:  # Ctrl-C, before anybody knows of the folder
            shutil.rmtree(folder, ignore_errors=True)
            raise


def sweep(parent: Path) -> None:
    """Remove every hidden folder in ``parent`` that a killed process left behind."""
    for folder in parent.glob(".*.*.partial"):
        if _KIND.fullmatch(folder.name.split(".")[-2]):
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder that no process uses."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return  # gone, or not a staging folder
    try:
        if _lock(descriptor) == 0:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> int:
    """Lock a folder; return 0, or the number of the error where that is not possible."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno or errno.ENOLCK
    return 0
