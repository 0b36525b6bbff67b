"""Which process runs germline in this checkout: asked without touching the run's lock."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from stages.errors import GermlineError
from stages.files import text_of, write_whole
from stages.json_text import json_in

HOLDER = Path(".scratch/run.json")
AT_WORK = "this checkout: another run of germline is at work here"
_REMEDY = (
    "Wait for it or stop it: after a kill of `dvc repro` or `germline run` the stage may live on."
)
_DVC_LOCKS = Path(".dvc/tmp/rwlock")  # who reads and who writes which path, by DVC
_CLOCK_S = 2.0  # by which two readings of a process's start may differ


@dataclass(frozen=True, slots=True)
class RunHolder:
    """The process of a run: ``begun`` is its start in seconds of the epoch."""

    command: str
    host: str
    process: int
    begun: float

    @property
    def is_here(self) -> bool:
        """True where it runs on this machine, so that it can be seen whether it lives."""
        return self.host == socket.gethostname()

    @property
    def is_alive(self) -> bool:
        """True where the process lives; one that took its number since is another.

        One that has ended and that nobody has waited for, a zombie, is dead.
        """
        try:
            process = psutil.Process(self.process)
            begun: float = process.create_time()
            is_dead = process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        except psutil.Error:
            return False
        return self.is_here and not is_dead and abs(begun - self.begun) < _CLOCK_S


@contextmanager
def holding(command: str) -> Iterator[None]:
    """Say in ``HOLDER`` that this process runs ``command``, until the block ends."""
    begun = psutil.Process().create_time()
    holder = RunHolder(command, socket.gethostname(), os.getpid(), begun)
    write_whole(HOLDER, json.dumps(asdict(holder)) + "\n")
    try:
        yield
    finally:
        HOLDER.unlink(missing_ok=True)


def holder_of(folder: Path) -> RunHolder | None:
    """Return the process that runs in the checkout at ``folder``; None where none does.

    One that was killed is none. Whether one of another machine lives cannot be seen: it counts.
    """
    try:
        holder = RunHolder(**json_in(text_of(folder / HOLDER)))
    except (OSError, ValueError, TypeError):  # none, or it is being written
        return None
    return holder if holder.is_alive or not holder.is_here else None


def runner_of(folder: Path) -> RunHolder | None:
    """Return what runs the project at ``folder``: a stage, or DVC between two stages.

    There it hashes and keeps what the one before wrote: minutes, where models are large.
    """
    return holder_of(folder) or _dvc_at_work(folder)


def _dvc_at_work(folder: Path) -> RunHolder | None:
    """Return the `dvc repro` or `dvc exp run` that lives and has locked files of the project."""
    try:
        locked = json_in(text_of(folder / _DVC_LOCKS))
        readers = [entry for entries in locked.get("read", {}).values() for entry in entries]
        commands = {
            int(entry["pid"]): str(entry["cmd"]).split()
            for entry in [*readers, *locked.get("write", {}).values()]
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # none, or being written
        return None
    for number, (program, *words) in commands.items():
        if words[:1] in (["repro"], ["exp"]):
            with suppress(psutil.Error):
                process = psutil.Process(number)
                if program in process.cmdline():  # a killed one's number may be another's now
                    command = f"dvc {words[0]}"
                    return RunHolder(command, socket.gethostname(), number, process.create_time())
    return None


def at_work(folder: Path) -> GermlineError:
    """Return the error of a second run in the checkout at ``folder``: it names the first."""
    holder = holder_of(folder)
    known = "" if holder is None else f" ({holder.command}, process {holder.process})"
    return GermlineError(f"{AT_WORK}{known}. {_REMEDY}")


def check_nobody_runs(folder: Path) -> None:
    """Check that nobody on this machine runs germline in the checkout at ``folder``.

    For what starts DVC, which removes the outputs of a stage before the stage could say so.

    Raises:
        GermlineError: somebody does.
    """
    holder = holder_of(folder)
    if holder is not None and holder.is_alive:
        raise at_work(folder)
