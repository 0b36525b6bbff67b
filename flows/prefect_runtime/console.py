"""What a person sees: progress while a flow runs, one clear message when it cannot go on."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click
from filelock import FileLock, Timeout
from rich.console import Console

from flows.inspection.search_bar import SearchBar, SearchCount
from flows.inspection.terminal_faults import GOES_ON, one_line_faults
from flows.inspection.terminal_text import can_draw, printable
from stages.errors import GermlineError
from stages.scratch_folder import clear_scratch

if TYPE_CHECKING:  # help loads this module, and must not wait for these
    from flows.inspection.runs.run_log import RunLog
    from stages.lineage.rows import Row

LOCK_PATH = Path(".scratch/run.lock")
PACE = "GERMLINE_PROGRESS_S"
_PACE_S = 60.0


@contextmanager
def only_run() -> Iterator[None]:
    """Hold the checkout for one run; the lock ends with its process, however that ends.

    Raises:
        GermlineError: another run holds it.
    """
    from flows.inspection.runs.run_holder import at_work, holding

    folder = Path.cwd()
    LOCK_PATH.parent.mkdir(exist_ok=True)
    lock = FileLock(LOCK_PATH, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise at_work(Path()) from error
    try:
        clear_scratch()
        context = click.get_current_context(silent=True)
        with holding(str(context.info_name) if context is not None else "a run"):
            yield
    except Exception as error:
        _check_not_moved(folder, error)
        raise
    finally:
        clear_scratch()
        lock.release()


def _check_not_moved(folder: Path, error: Exception) -> None:
    """Check that ``error`` is not of a project that was moved: paths in it then lead nowhere.

    Raises:
        GermlineError: it is no longer at ``folder``.
    """
    now = None
    with suppress(FileNotFoundError):
        now = Path.cwd()
    if now == folder:
        return
    what = "removed" if now is None else f"moved to {now}"
    raise GermlineError(
        f"{folder}: the project's folder was {what} while a run was at work there. Put it back, "
        "or run the same command where it is now; what was evaluated is kept."
    ) from error


def main(job: Callable[[], None]) -> None:
    """Run ``job`` under the lock; print one line per fault and exit with 1 or 130."""

    def locked() -> None:
        with only_run():
            job()

    telling(locked)


def telling(job: Callable[[], None], stopped: str = GOES_ON) -> None:
    """Run ``job``; say its faults on one line each, and after Ctrl-C what it leaves."""
    with one_line_faults(stopped):
        job()


def say(text: str) -> None:
    """Print one line for the person at the keyboard, whatever the names in it are."""
    Console(highlight=False, soft_wrap=True).print(printable(text), markup=False)


def counted(count: int, noun: str) -> str:
    """Return ``1 task``, ``3 tasks``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


class SearchProgress:
    """A bar with the best fitness and time left at a terminal; lines elsewhere.

    Elsewhere a line says each minute how far the search is, or as often as ``GERMLINE_PROGRESS_S``
    says, and another each generation.
    """

    def __init__(self, total: int, label: str, *, is_quiet: bool = False) -> None:
        self._console = Console(highlight=False, quiet=is_quiet)
        self._label, self._total, self._done = label, total, 0
        self._log: RunLog | None = None
        self._best: float | None = None
        self._bar = SearchBar(self._console, label, total, is_shown=can_draw(self._console))
        self._pace_s = float(os.environ.get(PACE, _PACE_S))
        self._last_s = time.monotonic()

    def __enter__(self) -> Self:
        from flows.inspection.runs.run_log import RunLog

        if not self._console.quiet:
            self._log = RunLog(self._label, self._total)
            self.say(
                f"{self._label}: {self._total} evaluations to look up or to compute; before they "
                "compute, workers load PyTorch and a model"
            )
        self._bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:  # a search without a centre, or ended by a rule, has fewer than said
            self._total = self._done
            self._bar.show(self._count)
        self._bar.stop()
        if self._log is not None:
            self._log.__exit__(*error)

    def best(self, fitness: float | None) -> None:
        """Show the best fitness so far, with ``fitness`` taken into account."""
        if fitness is not None and (self._best is None or fitness > self._best):
            self._best = fitness
        self._bar.show(self._count)

    def forget(self) -> None:
        """Drop the best fitness: later ones rest on other items."""
        self._best = None
        self.best(None)

    def advance(self, count: int) -> None:
        """Count candidates as done."""
        self._done += count
        self._bar.show(self._count)
        if self._log is not None:
            self._log.candidates(count)
        if not can_draw(self._console) and time.monotonic() - self._last_s >= self._pace_s:
            self._last_s = time.monotonic()
            self.say(str(self._count))

    @property
    def _count(self) -> SearchCount:
        shown = "-" if self._best is None else f"{self._best:.4f}"
        return SearchCount(self._label, self._done, self._total, shown)

    def generation(self, rows: "Sequence[Row]", num_computed: int) -> None:
        """Log a whole generation, and how many evaluations were computed so far."""
        if self._log is not None:
            self._log.generation(rows, num_computed)

    def say(self, text: str) -> None:
        """Print one line above the bar."""
        self._console.print(text, markup=False, soft_wrap=True)
