"""The executor of one machine: a pool of processes, each ended alone when its job hangs."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import forkserver, get_context, parent_process, resource_tracker
from multiprocessing.context import BaseContext
from multiprocessing.sharedctypes import Synchronized
from threading import Lock, Thread
from typing import Any

import psutil
from pebble import ProcessExpired, ProcessPool

from flows.execution import worker
from flows.execution.executor import Job, StoppedError, UnfinishedError, WorkerSettings
from flows.execution.time_limits import TimeLimits
from stages.errors import GermlineError
from stages.lineage.outcome import Outcome

_MAX_DEATHS = 2  # of processes without a job, one after another, before the run is told
# Imported once for all processes, and for those that replace them: 4 s of processor time each
# (2026-11-30), 1.7 of them for the second, what all types of models are made of. Other people's
# code alone, as the folder that a run's own code comes from is not known where it is imported.
_IMPORTED_ONCE = ["lm_eval.models.huggingface", "transformers.modeling_layers"]
_START_LIMIT_S = 0.2  # of a stop, for processes that are being started
_DIED = (
    "worker processes died {} times while they loaded the model. Out of memory is the usual "
    "cause: lower evaluate.workers, or set a dtype of 16 bits in evaluate.model_args. Then run "
    "the same command again; what was evaluated is kept."
)


class LocalPool:
    """``num_workers`` processes of this machine, started with the first job.

    So a replay from the store starts no process and loads no model. A process that dies in a job
    is replaced by the pool; where one dies without a job the pool is replaced.
    """

    def __init__(self, settings: WorkerSettings, num_workers: int) -> None:
        self._settings = settings
        self._num_workers = num_workers
        self._gate = Lock()
        self._open: set[Future[Any]] = set()
        self._limits = TimeLimits()
        self._is_stopped = False
        self._num_broken = 0  # pools, since a job was last done
        self._pool: ProcessPool | None = None
        # What a thread starts inherits what it has blocked; one of our own, so that Ctrl-C still
        # ends the wait of the thread that submits a job.
        self._starter = ThreadPoolExecutor(1, "starter", block_ctrl_c)

    def submit(self, job: Job) -> "Future[Outcome]":
        """Return the future outcome of ``job``, as ``Executor`` says.

        Raises:
            StoppedError: the pool was stopped.
        """
        outcome: Future[Outcome] = Future()
        self._starter.submit(self._schedule, job, outcome).result()
        return outcome

    def close(self) -> None:
        """End the processes after the work they have."""
        if self._pool is not None:
            _end(self._pool, at_once=False)

    def stop(self) -> None:
        """End the processes at once; threads that wait for an outcome are told so."""
        self._is_stopped = True
        if not self._gate.acquire(timeout=_START_LIMIT_S):
            _end_fork_server()
            self._gate.acquire()
        tasks = list(self._open)
        self._gate.release()
        for task in tasks:  # the pool itself would leave them waiting
            task.cancel()
        if self._pool is not None:
            _end(self._pool, at_once=True)

    def _new_pool(self) -> ProcessPool:
        context = _context(self._settings)
        counts = context.Value("q", 0), context.Value("q", 0)
        return ProcessPool(
            max_workers=self._num_workers,
            initializer=start_process,
            initargs=(self._settings, self._num_workers, *counts, dict(os.environ)),
            context=context,
        )

    def _schedule(self, job: Job, outcome: "Future[Outcome]") -> None:
        with self._gate:
            pool, task = self._begin(job)
        task.add_done_callback(partial(self._pass_on, job, outcome, pool))

    def _begin(self, job: Job) -> tuple[ProcessPool, "Future[Any]"]:
        """Give ``job`` to the pool; another replaces one that broke."""
        while not self._is_stopped:
            pool = self._pool = self._pool or self._new_pool()
            try:
                return pool, self._task(job, pool)
            except RuntimeError as error:
                self._replace(pool)
                if self._num_broken > _MAX_DEATHS:
                    raise GermlineError(_DIED.format(self._num_broken)) from error
        raise StoppedError(f"evaluation on the {job.split} split: the run was stopped.")

    def _task(self, job: Job, pool: ProcessPool) -> "Future[Any]":
        task: Future[Any] = pool.schedule(worker.run, args=[job])
        self._open.add(task)
        if job.limit_s is not None:
            self._limits.add(task, job.limit_s)
        return task

    def _replace(self, broken: ProcessPool) -> ProcessPool:
        """Have another pool in place of ``broken``, once, however many jobs it had."""
        if self._pool is broken:
            self._num_broken += 1
            # Not here: this may be a thread of the broken pool, which cannot wait for itself.
            Thread(target=_end, args=[broken], kwargs={"at_once": True}, daemon=True).start()
            self._pool = None
        self._pool = self._pool or self._new_pool()
        return self._pool

    def _pass_on(
        self, job: Job, outcome: "Future[Outcome]", pool: ProcessPool, task: "Future[Any]"
    ) -> None:
        """Give ``outcome`` what the pool's own future holds."""
        with self._gate:
            self._open.discard(task)
        is_over = self._limits.remove(task)
        try:
            result = task.result()
        except BrokenProcessPool:
            self._again(job, outcome, pool)
        except BaseException as error:  # noqa: BLE001  it is raised where the outcome is waited for
            outcome.set_exception(_told(job, error, is_over=is_over))
        else:
            self._num_broken = 0
            outcome.set_result(result)

    def _again(self, job: Job, outcome: "Future[Outcome]", pool: ProcessPool) -> None:
        """Give a job to another pool, as its own broke before the job was begun."""
        with self._gate:
            self._replace(pool)
            num_broken = self._num_broken
        if num_broken > _MAX_DEATHS:
            outcome.set_exception(GermlineError(_DIED.format(num_broken)))
            return
        try:
            self._schedule(job, outcome)
        except GermlineError as error:
            outcome.set_exception(error)


def _context(settings: WorkerSettings) -> BaseContext:
    """Return how processes are started: forked from one with its imports done, where that is safe.

    Once a library has looked for a GPU, CUDA does not bear a fork; on macOS other libraries do
    not.
    """
    needs_no_gpu = settings.evaluate.device == "cpu" and settings.evaluate.backend is None
    if sys.platform != "linux" or not needs_no_gpu:
        return get_context("spawn")
    forkserver.set_forkserver_preload(_IMPORTED_ONCE)
    # Python is not to import out of the working folder, where anything may lie.
    with _with_variable("PYTHONSAFEPATH", "1"):
        forkserver.ensure_running()
    return get_context("forkserver")


def block_ctrl_c() -> None:
    """Block Ctrl-C in this thread, and so in the processes and threads that are started from it.

    It is for the run, which ends its processes; in their imports it would be a traceback. Once
    they work they ignore it.
    """
    # After a kill of the run it removes the semaphores of the pool, which is not worth a warning.
    with _with_variable("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning"):
        resource_tracker.ensure_running()  # it unblocks what it has blocked for itself
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _end_fork_server() -> None:
    """End the process that others are forked from: while it imports, who forks must wait."""
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if "multiprocessing.forkserver" in " ".join(child.cmdline()):
                child.kill()


@contextmanager
def _with_variable(name: str, value: str) -> Iterator[None]:
    """Give processes that are started in the block this environment variable."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def start_process(
    settings: WorkerSettings,
    num_workers: int,
    num_begun: "Synchronized[int]",
    num_ready: "Synchronized[int]",
    environment: Mapping[str, str],
) -> None:
    """Start this process, unless several before it died while they did.

    While other processes work the pool replaces one that dies at once, also one that dies of
    starting, as when another model does not fit the memory: that would go on for ever.
    ``environment`` is the run's; the process that this one is forked from may have another.
    """
    os.environ.clear()
    os.environ.update(environment)
    Thread(target=_end_with_run, name="end with the run", daemon=True).start()
    with num_begun.get_lock():
        num_begun.value += 1
        num_dead = num_begun.value - num_ready.value - num_workers
    if num_dead >= _MAX_DEATHS:
        worker.refuse(_DIED.format(num_dead))
    else:
        worker.start(settings)
    with num_ready.get_lock():
        num_ready.value += 1


def _end_with_run() -> None:
    """End this process when that of the run is gone: killed, it could not end its processes.

    They would work on to the end of their jobs, for nobody. What they leave in the scratch folder
    the next run removes.
    """
    run = parent_process()
    if run is not None:
        run.join()
        os._exit(1)


def _end(pool: ProcessPool, *, at_once: bool) -> None:
    if at_once:
        pool.stop()
    else:
        pool.close()
    pool.join()


def _told(job: Job, error: BaseException, *, is_over: bool) -> BaseException:
    """Return what a failed task means to the one who waits for its outcome."""
    where = f"evaluation on the {job.split} split"
    if isinstance(error, CancelledError) and is_over:
        return UnfinishedError(
            f"{where}: ran longer than evaluate.timeout_s = {job.limit_s:g} and was ended. Raise "
            "evaluate.timeout_s or use fewer items."
        )
    if isinstance(error, CancelledError):
        return StoppedError(f"{where}: the run was stopped.")
    if isinstance(error, ProcessExpired):
        return UnfinishedError(
            f"{where}: its process died with exit code {error.exitcode}. Out of memory is the "
            "usual cause; lower evaluate.batch_size, evaluate.batch_tokens or evaluate.workers. "
            "Raise evaluate.retries to try again."
        )
    return error
