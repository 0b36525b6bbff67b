"""What a command says when it cannot go on: one line for each fault, and the exit code."""

import errno
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from flows.execution.error_log import explained
from flows.inspection.terminal_text import plain_console, printable
from stages.errors import GermlineError

GOES_ON = "what was evaluated is kept; the same command goes on from there"
_AGAIN = "Remove the cause and run the same command again."
_OTHER_PLACE = "Name another place, or move what is there out of the way."
_DISK = "The disk, or the share that it is on, fails: check it and run the same command again."
_NO_THREAD = "can't start new thread"  # Python raises a RuntimeError, by the text alone
_MORE_THREADS = (
    "error: the system allows no more threads. Allow more processes (`ulimit -u`) or memory "
    "(`ulimit -v`), or end other programs, and run the same command again."
)
_REMEDIES = {
    errno.EACCES: "Give yourself the right to it, or name another place.",
    errno.EPERM: "Give yourself the right to it, or name another place.",
    errno.EROFS: "Name a place on a disk that can be written to.",
    errno.ENOSPC: "Free some of the disk and run the same command again.",
    errno.EDQUOT: "Free some of your quota and run the same command again.",
    errno.EFBIG: "Allow larger files (`ulimit -f`) or name another place.",
    errno.EMFILE: "Allow more open files (`ulimit -n`) and run the same command again.",
    errno.ENFILE: "The machine has too many open files: end other programs and run it again.",
    errno.EIO: _DISK,
    errno.ESTALE: _DISK,
    errno.ENODEV: _DISK,
    errno.ENXIO: _DISK,
    errno.ETIMEDOUT: _DISK,
    errno.EISDIR: f"A file is needed there. {_OTHER_PLACE}",
    errno.EEXIST: _OTHER_PLACE,
    errno.ENOTEMPTY: _OTHER_PLACE,
    errno.ENOTDIR: f"A part of the path is a file, not a folder. {_OTHER_PLACE}",
    errno.ENOENT: "Put it there, or name another place.",
    errno.ENAMETOOLONG: "Give a shorter name.",
}


def fault_of_system(error: OSError) -> str:
    """Return which path the system refused, why, and what to do.

    Of what it refused without a path, or for a rare reason, the traceback is in a file that is
    named.
    """
    paths = [str(path) for path in (error.filename, error.filename2) if path is not None]
    if paths and error.errno in _REMEDIES:
        reason = f"{error.strerror or error}".rstrip(".")
        return f"{' and '.join(paths)}: {reason}. {_REMEDIES[error.errno]}"
    return f"{explained(error)} {_REMEDIES.get(error.errno or 0, _AGAIN)}"


@contextmanager
def one_line_faults(stopped: str = GOES_ON) -> Iterator[None]:
    """Say a fault of the block on one line each, without what would steer a terminal; exit with 1.

    ``stopped`` says what Ctrl-C leaves, whose exit code is 130. A pipe that the reader has closed
    ends the command without a word: click does that.
    """
    kept = " What was evaluated is kept." if stopped == GOES_ON else ""
    try:
        yield
    except BrokenPipeError:
        raise
    except GermlineError as error:
        _end(*(f"error: {line}" for line in str(error).splitlines()), code=1)
    except OSError as error:
        _end(f"error: {fault_of_system(error)}{kept}", code=1)
    except (ImportError, MemoryError) as error:  # the machine's: no candidate's fault
        _end(f"error: {explained(error)} {_AGAIN}{kept}", code=1)
    except RuntimeError as error:
        if _NO_THREAD not in str(error):
            raise
        _end(f"{_MORE_THREADS}{kept}", code=1)
    except KeyboardInterrupt as error:  # a download says itself what is kept
        gc.freeze()  # Python's last collection walks all of torch: 4 s on a busy machine
        # Where Ctrl-C came in a text that was executed, as dataclasses do, Python would end by the
        # signal, whatever the exit code. It forgets that when it executes another.
        exec("")  # noqa: S102
        _end(str(error) or f"stopped: {stopped}", code=130)


def _end(*lines: str, code: int) -> None:
    console = plain_console(stderr=True)
    for line in lines:
        console.print(printable(line), soft_wrap=True)
    sys.exit(code)
