"""The Prefect server of a run starts with the pinned FastAPI, serves a flow, and ends with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.conftest import environment

FLOW = """
import flows
from flows.prefect_runtime.server import Server
from prefect import flow, task

@task
def double(x):
    return 2 * x

@flow
def doubled(xs):
    return [future.result() for future in double.map(xs)]

with Server() as server, server.ready() as url:
    print(url, doubled([1, 2, 3]))
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a process prints that starts a server and runs a flow on it."""
    home = tmp_path_factory.mktemp("prefect")
    child = subprocess.run(
        [sys.executable, "-c", FLOW],
        env={**environment(), "PREFECT_HOME": str(home)},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == child.returncode, child.stderr
    return child.stdout


def test_server_runs_a_flow(printed: str) -> None:
    """A flow and its tasks run to the end; a FastAPI that Prefect cannot use fails here."""
    assert "[2, 4, 6]" in printed


def test_server_ends_with_its_process(printed: str) -> None:
    """Nobody listens at the server's address once the process is gone."""
    from flows.prefect_runtime.server import _answers

    url = printed.split(maxsplit=1)[0]

    assert url.startswith("http://127.0.0.1:")
    assert not _answers(url)


def test_server_of_the_user_must_answer() -> None:
    """PREFECT_API_URL without a server behind it is said, not waited for."""
    child = subprocess.run(
        [sys.executable, "-c", FLOW],
        env={**environment(), "PREFECT_API_URL": "http://127.0.0.1:9/api"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "no Prefect server answers at http://127.0.0.1:9/api" in child.stderr
    assert os.environ.get("PREFECT_API_URL") is None
