"""Write bytes at an offset of a file, and wait until files are on the disk."""

import os
import sys
from pathlib import Path


def write_at(descriptor: int, data: memoryview, offset: int) -> None:
    """Write all of ``data`` at a byte ``offset`` of a file; other threads may write elsewhere."""
    while data:  # one call may write less than it was given
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def send_to_disk(descriptor: int, offset: int, size: int) -> None:
    """Let Linux begin to write a range to the disk, so that the final sync waits less."""
    if sys.platform == "linux":
        os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_DONTNEED)


def sync(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
