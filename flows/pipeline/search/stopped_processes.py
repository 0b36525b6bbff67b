"""Find the run's own processes that somebody stopped: the run waits for them without an end."""

from collections.abc import Iterator

import psutil


class StoppedProcesses:
    """Names each process below this one that is stopped, once for each time.

    A worker that is stopped while it takes a job keeps the others from theirs, and the time limit
    counts for jobs that were begun. Nothing is ended: whoever stopped it may have reasons.
    """

    def __init__(self) -> None:
        self._named: set[int] = set()

    def new(self) -> Iterator[str]:
        """Give a sentence for each process that is stopped and was not when last asked."""
        below = psutil.Process().children(recursive=True)
        stopped = {process.pid for process in below if _is_stopped(process)}
        for pid in sorted(stopped - self._named):
            yield (
                f"process {pid} of this run is stopped, and the run waits for it. "
                f"`kill -CONT {pid}` lets it go on."
            )
        self._named = stopped


def _is_stopped(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_STOPPED)
    except psutil.Error:  # it has ended meanwhile
        return False
