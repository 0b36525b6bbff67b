"""Folders for unfinished work below ``.scratch``: each goes with the process that made it.

A kill leaves a folder behind. A lock, which ends with its process, tells it from one in use, so
the next process that makes one, and the next run, remove it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.checkpoint.staging_folder import claim, sweep

SCRATCH = Path(".scratch")
_WORK = "work"


@contextmanager
def scratch_folder(root: Path = Path()) -> Iterator[Path]:
    """Give an empty folder below ``root``'s ``.scratch`` and remove it, whatever happens in it."""
    folder, lock = claim(root / SCRATCH / _WORK)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def clear_scratch(root: Path = Path()) -> None:
    """Remove what no live process owns from ``root``'s ``.scratch``."""
    for folder in (root / SCRATCH, *(root / SCRATCH).glob("*/")):
        sweep(folder)
