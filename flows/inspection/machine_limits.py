"""What the system must give a run, asked before it begins: room for what libraries write unseen.

Without it Prefect's database, or the first worker, fails minutes later and cannot say why.
"""

import errno
import multiprocessing
import os
import resource
import tempfile
from pathlib import Path

from stages.errors import Faults, GermlineError
from stages.files import size_text

_TEMPORARY_BYTES = 1_000_000  # SQLite writes there while Prefect's database is made
_FILE_BYTES = 64_000_000  # Prefect's database and its journal: some MB a run
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def check_machine() -> None:
    """Check temporary files, shared memory, and how large files may be.

    Raises:
        GermlineError: the system gives less than a run needs; every fault is listed.
    """
    faults = Faults()
    for probe in (_temporary_files, _shared_memory, _large_files):
        with faults.at(""):
            probe()
    faults.raise_as(GermlineError)


def _temporary_files() -> None:
    """Check the folder of TMPDIR, too: Python passes over one that is full, SQLite does not."""
    try:
        folders = {os.environ.get("TMPDIR") or tempfile.gettempdir(), tempfile.gettempdir()}
    except FileNotFoundError as error:  # it tried several, and names them
        raise GermlineError(
            f"temporary files: {error.strerror}. Set TMPDIR to a folder that you may write to."
        ) from error
    for folder in sorted(folders):
        if not Path(folder).is_dir():
            continue
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(_TEMPORARY_BYTES))
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise GermlineError(
                    f"{folder}: {error.strerror}. Temporary files go there: free "
                    f"{size_text(_TEMPORARY_BYTES)}, or set TMPDIR to another folder."
                ) from error


def _shared_memory() -> None:
    """Make a lock and a number as worker processes share them."""
    try:
        context = multiprocessing.get_context("fork")  # in no process: nothing is registered
        context.Lock()
        context.Value("q", 0)
    except OSError as error:
        raise GermlineError(
            f"shared memory (/dev/shm): {error.strerror}. Worker processes share locks: free "
            "some of it, or have it mounted larger and so that you may write to it."
        ) from error


def _large_files() -> None:
    allowed, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if allowed != resource.RLIM_INFINITY and allowed < _FILE_BYTES:
        raise GermlineError(
            f"file size: files may have at most {size_text(allowed)} here, and Prefect's database "
            f"needs up to {size_text(_FILE_BYTES)}. Allow larger ones (`ulimit -f`)."
        )
