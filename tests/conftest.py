"""What every test runs under: Hypothesis without a deadline, no network, one thread."""

import gc
import itertools
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
if gc.isenabled():  # until all tests are imported: its passes were a fifth of the time
    gc.disable()

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.flows.forked_command import fork_server_at, start_fork_server, stop_fork_server
from tests.shared_folder import started_once

# A shell that starts the tests in the background has Ctrl-C ignored, by them and their children.
signal.signal(signal.SIGINT, signal.default_int_handler)

# torch's first call breaks the default deadline of 200 ms. The same commit is tested on the same
# examples everywhere; `nightly` looks for new ones.
settings.register_profile("default", deadline=None, derandomize=True)
settings.register_profile("nightly", deadline=None, max_examples=4000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

PROJECTS = {"make_project", "copy_repeated"}  # the fixtures of tests that run pipelines


def pytest_xdist_auto_num_workers() -> int:
    """Start one process more than there are cores: tests that wait leave theirs to others."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin each process's share with whole pipelines: short tests keep all busy at the end."""
    of_pipelines = {
        item.path for item in items if PROJECTS.intersection(getattr(item, "fixturenames", ()))
    }
    long = [item for item in items if item.path in of_pipelines]
    short = iter([item for item in items if item.path not in of_pipelines])
    num_processes, left = getattr(config, "workerinput", {}).get("workercount", 1), len(items)
    ordered: list[pytest.Item] = []
    for i in range(num_processes):
        share = left // (num_processes - i)  # as xdist cuts the list
        begun = long[i::num_processes]
        ordered += [*begun, *itertools.islice(short, max(0, share - len(begun)))]
        left -= share
    items[:] = [*ordered, *short]


def pytest_collection_finish() -> None:
    """Leave what is imported out of the garbage collector's passes: it stays to the end."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run of the tests have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def fork_server(shared_folder: Path) -> Iterator[None]:
    """Have the process that commands and their workers are forked from, with its imports done."""
    server = started_once(shared_folder / "fork-server", _without_prefect, stop_fork_server)
    with server as address, fork_server_at(address):
        yield


def _without_prefect() -> str:
    """Start the process to fork from, without what would point a run elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("PREFECT"):
                patch.delenv(name)
        return start_fork_server()
