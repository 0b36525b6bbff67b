"""What the system refused while a merge read or wrote, in a sentence that says what to do."""

import errno
from pathlib import Path

from flows.inspection.terminal_faults import fault_of_system

_NO_ROOM = {
    errno.ENOSPC: "the disk is full. Free some.",
    errno.EDQUOT: "your quota of the disk is used up. Free some.",
    errno.EFBIG: "a file would be larger than is allowed. Give a smaller --shard-size.",
}
_NO_PLACE = (errno.EACCES, errno.EEXIST, errno.ENOTDIR, errno.EROFS, errno.ENAMETOOLONG)


def fault_of_disk(error: OSError, out: Path) -> str:
    """Return what a reader or writer of files could not do, and what to do about it."""
    if error.filename is not None and not is_part_of(out, Path(error.filename)):
        remedy = "Give yourself the right to read it, or name another model."
        return f"{error.filename}: cannot be read: {error.strerror}. {remedy}"
    if error.errno in _NO_ROOM:
        return f"{out}: {_NO_ROOM[error.errno]} Nothing was left there; then run again."
    if error.errno in _NO_PLACE:
        where = f"{error.strerror}: {error.filename}"
        return f"{out}: cannot be written: {where}. Give another OUT."
    return f"{out}: {fault_of_system(error)}"


def is_part_of(out: Path, path: Path) -> bool:
    """Return whether ``path`` is above, at or in ``out``, or in its hidden staging folder."""
    out, path = out.absolute(), path.absolute()
    if out.is_relative_to(path) or path.is_relative_to(out):
        return True
    below = path.relative_to(out.parent).parts if path.is_relative_to(out.parent) else ()
    return bool(below) and below[0].startswith(f".{out.name}.")
