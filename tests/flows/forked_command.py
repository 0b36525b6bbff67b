"""Run the command ``germline`` in a process that is forked from one with all its imports done.

A command typed in a shell spends four seconds on imports, and so does each test that starts one.
The forked process has the command's own exit code, output, session, folder and environment. What
reads the environment when it is imported (HF_HOME, say) has read the tests' own: a test of that
starts an interpreter instead.
"""

import multiprocessing
import multiprocessing.forkserver
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from pathlib import Path

from flows.execution.local_pool import block_ctrl_c

IMPORTED = (
    "flows.pipeline.evolve",
    "flows.pipeline.select",
    "flows.execution.candidates.candidate_scorer",
    "stages.evaluate.resident.language_model",
    "stages.report.stage",
    "flows.cli.pipeline_stages",
    "flows.cli.merge",
    "flows.evaluation.evaluate_job",
    "flows.merging.merge_job",
    "lm_eval.models.huggingface",
    "lm_eval.tasks",
    "datasets",
    "fastapi",
    "cma",
)


def start_fork_server() -> None:
    """Start the process that commands are forked from, under this process's environment."""
    multiprocessing.forkserver.set_forkserver_preload(list(IMPORTED))
    with ThreadPoolExecutor(1, initializer=block_ctrl_c) as starter:  # as a run starts its own
        starter.submit(multiprocessing.forkserver.ensure_running).result()


def started(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
    *,
    file_bytes: int = resource.RLIM_INFINITY,
) -> BaseProcess:
    """Start ``germline`` with ``arguments`` in ``folder``; what it prints goes to ``log``.

    No file that it writes may have more than ``file_bytes``.
    """
    process = multiprocessing.get_context("forkserver").Process(
        target=_command, args=(list(arguments), folder, dict(environment), log, file_bytes)
    )
    process.start()
    return process


def _command(
    arguments: list[str], folder: Path, environment: dict[str, str], log: Path, file_bytes: int
) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(handle, stream)
    sys.argv = ["germline", *arguments]
    _share_fork_server()
    from flows.cli.main import main

    main(arguments)


def _share_fork_server() -> None:
    """Have the command's own processes forked from the process that it was forked from.

    Python would start another one, which has the imports to do.
    """
    for owner in (multiprocessing.forkserver, multiprocessing.forkserver._forkserver):
        setattr(owner, "ensure_running", lambda: None)  # noqa: B010  # mypy knows it as a method
