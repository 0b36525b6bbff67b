"""What a person sees: progress while a flow runs, one clear message when it cannot go on."""

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

import click
from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from flows.execution.error_log import explained
from flows.inspection.terminal_text import printable
from stages.errors import GermlineError
from stages.scratch_folder import clear_scratch

if TYPE_CHECKING:  # help loads this module, and must not wait for these
    from flows.inspection.runs.run_log import RunLog
    from stages.lineage.rows import Row

LOCK_PATH = Path(".scratch/run.lock")
_GOES_ON = "what was evaluated is kept; the same command goes on from there"


@contextmanager
def only_run() -> Iterator[None]:
    """Hold the checkout for one run; the lock ends with its process, however that ends.

    Raises:
        GermlineError: another run holds it.
    """
    from flows.inspection.runs.run_holder import holding

    LOCK_PATH.parent.mkdir(exist_ok=True)
    lock = FileLock(LOCK_PATH, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise GermlineError(
            "this checkout: another run of germline is at work here. Wait for it or stop it; "
            "after a kill of `dvc repro` alone its flow may live on."
        ) from error
    try:
        clear_scratch()
        context = click.get_current_context(silent=True)
        with holding(str(context.info_name) if context is not None else "a run"):
            yield
    finally:
        clear_scratch()
        lock.release()


def main(job: Callable[[], None]) -> None:
    """Run ``job`` under the lock; print one line per fault and exit with 1 or 130."""

    def locked() -> None:
        with only_run():
            job()

    telling(locked)


def telling(job: Callable[[], None], stopped: str = _GOES_ON) -> None:
    """Run ``job``; print one line per fault and exit with 1, or 130 for Ctrl-C.

    ``stopped`` says what Ctrl-C leaves.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        job()
    except GermlineError as error:
        for line in str(error).splitlines():
            console.print(f"error: {printable(line)}", markup=False)
        sys.exit(1)
    except (OSError, ImportError, MemoryError) as error:  # the machine's: no candidate's fault
        console.print(
            f"error: {explained(error)} Remove the cause and run the same command again; what was "
            "evaluated is kept.",
            markup=False,
        )
        sys.exit(1)
    except KeyboardInterrupt as error:  # a download says itself what is kept
        stop(console, str(error) or f"stopped: {stopped}")


def stop(console: Console, text: str) -> NoReturn:
    """Print one line and exit with 130, as after Ctrl-C."""
    console.print(text, markup=False)
    gc.freeze()  # Python's last collection walks all of torch: 4 s on a busy machine
    sys.exit(130)


def say(text: str) -> None:
    """Print one line for the person at the keyboard."""
    Console(highlight=False, soft_wrap=True).print(text, markup=False)


def counted(count: int, noun: str) -> str:
    """Return ``1 task``, ``3 tasks``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


class SearchProgress:
    """A bar with the best fitness and time left at a terminal; a line per generation elsewhere."""

    def __init__(self, total: int, label: str, *, is_quiet: bool = False) -> None:
        self._console = Console(highlight=False, quiet=is_quiet)
        self._label, self._total = label, total
        self._log: RunLog | None = None
        self._best: float | None = None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("best {task.fields[best]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=False,
        )
        self._task = self._bar.add_task(label, total=total, best="-")

    def __enter__(self) -> Self:
        from flows.inspection.runs.run_log import RunLog

        if not self._console.quiet:
            self._log = RunLog(self._label, self._total)
        self._bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.stop()
        if self._log is not None:
            self._log.__exit__(*error)

    def best(self, fitness: float | None) -> None:
        """Show the best fitness so far, with ``fitness`` taken into account."""
        if fitness is not None and (self._best is None or fitness > self._best):
            self._best = fitness
        shown = "-" if self._best is None else f"{self._best:.4f}"
        self._bar.update(self._task, best=shown)

    def forget(self) -> None:
        """Drop the best fitness: later ones rest on other items."""
        self._best = None
        self.best(None)

    def advance(self, count: int) -> None:
        """Count candidates as done."""
        self._bar.update(self._task, advance=count)
        if self._log is not None:
            self._log.candidates(count)

    def generation(self, rows: "Sequence[Row]", num_computed: int) -> None:
        """Log a whole generation, and how many evaluations were computed so far."""
        if self._log is not None:
            self._log.generation(rows, num_computed)

    def say(self, text: str) -> None:
        """Print one line above the bar."""
        self._console.print(text, markup=False, soft_wrap=True)
