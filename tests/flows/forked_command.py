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
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

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
    "anyio._backends._asyncio",
    "dvc.repo",
    "dvc.cachemgr",
    "dvc.data_cloud",
    "dvc_data.fs",
    "dvc_render.plotly",
    "flatten_dict",
    "prefect.flow_engine",
    "prefect.task_engine",
    "prefect.engine",
    "ruamel.yaml",
    "scipy.io",
    "vl_convert",
    "narwhals",
    "transformers.models.llama.modeling_llama",
    "transformers.models.auto.tokenization_auto",
    "stages.evaluate.model_checks.model_check",
    "stages.evaluate.model_checks.weightless_model",
    "prefect.utilities.visualization",
    "flows.inspection.runs.run_holder",
    "dvc.repo.open_repo",
    "dvc_data.hashfile.db.local",
    "fsspec.implementations.memory",
)


def start_fork_server() -> str:
    """Start the process that commands are forked from, under this process's environment.

    Returns:
        Its address, by which other processes of the tests use it, too.
    """
    server = multiprocessing.forkserver._forkserver
    multiprocessing.forkserver.set_forkserver_preload(list(IMPORTED))
    with ThreadPoolExecutor(1, initializer=block_ctrl_c) as starter:  # as a run starts its own
        starter.submit(multiprocessing.forkserver.ensure_running).result()
    address: str = getattr(server, "_forkserver_address")  # noqa: B009  mypy does not know it
    return address


def stop_fork_server() -> None:
    """End the process that commands were forked from; another one may be started."""
    stop = getattr(multiprocessing.forkserver._forkserver, "_stop")  # noqa: B009
    stop()


@contextmanager
def fork_server_at(address: str) -> Iterator[None]:
    """Use the process at ``address`` to fork from, whoever started it."""
    server = multiprocessing.forkserver._forkserver
    if getattr(server, "_forkserver_address") == address:  # noqa: B009
        yield
        return
    read_end, write_end = os.pipe()  # children want a pipe; the server's own is its owner's
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "_forkserver_address", address)
        patch.setattr(server, "_forkserver_alive_fd", write_end)
        for owner in (multiprocessing.forkserver, server):
            patch.setattr(owner, "ensure_running", resource_tracker.ensure_running)
        yield
    os.close(read_end)
    os.close(write_end)


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
