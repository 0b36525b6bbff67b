"""Prefect's server is killed in each phase of a run: it comes back, or one line ends the run."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flows.prefect_runtime.server_answer import ServerAnswer, asked
from flows.prefect_runtime.server_child import HOST, ServerChild
from tests.flows.conftest import Maker, PrefectServer, Project, wait_until
from tests.flows.test_pipeline import processes_in

OUTPUTS = {  # of the stages that have a server
    "evolve": ("data/lineage", "data/kept"),
    "select": ("data/selection", "data/champion"),
}
SHARES = (0.15, 0.6)  # of the time that a stage takes undisturbed

Named = tuple[PrefectServer, list[ServerChild]]


def outputs(project: Project, stage: str) -> dict[str, dict[str, bytes]]:
    """Return the content of the files that a stage writes."""
    return {folder: project.files(folder) for folder in OUTPUTS[stage]}


def servers_in(folder: Path) -> list[psutil.Process]:
    """Return the server processes of runs in ``folder``."""
    processes = [psutil.Process(pid) for pid in processes_in(folder)]
    return [one for one in processes if "flows.prefect_runtime.server_process" in one.cmdline()]


@pytest.mark.slow
def test_killed_server_of_the_run_comes_back(make_project: Maker) -> None:
    """From the making of its database on, in each stage, several times: same bytes, code 0."""
    undisturbed, project = make_project("undisturbed"), make_project("killed")
    shutil.rmtree(project.folder / ".prefect")  # the first server makes its database
    for stage in OUTPUTS:
        undisturbed.germline(stage)
        num_kills, said = killed_servers(project, stage)
        assert "Traceback" not in said, said
        assert num_kills
        assert outputs(undisturbed, stage) == outputs(project, stage)


def killed_servers(project: Project, stage: str) -> tuple[int, str]:
    """Run a stage and kill its server again and again; return how often, and what it printed."""
    child = project.start("germline", stage, own_server=True)
    num_kills = 0
    for wait_s in (0.5, 4.0, 1.0):
        wait_until(lambda: bool(servers_in(project.folder)) or child.poll() is not None)
        time.sleep(wait_s)
        for server in servers_in(project.folder):
            server.kill()
            num_kills += 1
    said = child.communicate()[0]
    assert child.returncode == 0, said
    return num_kills, said


@pytest.fixture
def named(
    tmp_path: Path, prefect_server: PrefectServer
) -> Iterator[tuple[PrefectServer, list[ServerChild]]]:
    """A server that a user named, and the processes that served it so far."""
    home = tmp_path / "served"
    home.mkdir()
    shutil.copy(prefect_server.database, home / "prefect.db")
    child = ServerChild(0, home, page=False)
    children = [child]
    yield PrefectServer(f"http://{HOST}:{child.port}/api", home, home / "prefect.db"), children
    for one in children:
        one.end()


@pytest.mark.slow
def test_killed_server_of_the_user_ends_the_run(make_project: Maker, named: Named) -> None:
    """With one line, in each stage (test_server.py: how soon); the same command then ends well."""
    server, children = named
    undisturbed = make_project("undisturbed")
    project = Project(make_project("killed").folder, server)
    wait_until(lambda: asked(server.url) is ServerAnswer.YES)
    for stage in OUTPUTS:
        begun = time.monotonic()
        undisturbed.germline(stage)
        usual_s = time.monotonic() - begun
        for share in SHARES:
            process, log = project.fork(stage)
            time.sleep(share * usual_s)
            children[-1].end()
            process.join()
            said = log.read_text(encoding="utf-8")
            errors = [line for line in said.splitlines() if line.startswith("error: ")]
            assert "Traceback" not in said, said
            assert (process.exitcode, len(errors)) in ((1, 1), (0, 0)), said
            children.append(ServerChild(children[0].port, server.home, page=False))
            wait_until(lambda: asked(server.url) is ServerAnswer.YES)
        project.germline(stage)
        assert outputs(undisturbed, stage) == outputs(project, stage)
