"""A run's Prefect server: it serves a flow, comes back when it is killed, ends with the run."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import prefect
import pytest

from flows.prefect_runtime.server import Server
from flows.prefect_runtime.server_answer import Inquiry, ServerAnswer, asked, is_of_server
from stages.errors import GermlineError
from tests.flows.conftest import PrefectServer, environment

ROOT = Path(__file__).parents[3]
RECORDER = "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER"
FLOW = """
import flows
import httpx
from flows.prefect_runtime.server import Server
from prefect import flow, task

@task
def double(x):
    return 2 * x

@flow
def doubled(xs):
    return [future.result() for future in double.map(xs)]

def status(**headers):
    return httpx.get(server.url + "/health", headers=headers)

with Server(page=True) as server, server.ready() as url:
    print(url, doubled([1, 2, 3]))
    server._child._process.kill()
    print(doubled([4, 5]))
    own = url.removesuffix("/api")
    print("page", httpx.get(own + "/ui-settings").json()["api_url"] == url)
    print("own", status(origin=own).headers["access-control-allow-origin"] == own)
    print("foreign", status(origin="http://evil.example").status_code)
    print("renamed", status(host="evil.example").status_code)
"""
ENTERED = """
import time
import flows
from flows.prefect_runtime.console import telling
from flows.prefect_runtime.server import Server

def job():
    with Server() as server, server.ready() as url:
        print(url, flush=True)
        time.sleep(60)

telling(job)
"""

ASKING = ENTERED.replace("time.sleep(60)", 'while True: httpx.get(url + "/health")').replace(
    "import time", "import httpx"
)


def start(code: str, **settings: str) -> subprocess.Popen[str]:
    """Start ``code`` in a process with these settings of Prefect and no others."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**environment(), **settings},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, prefect_server: PrefectServer) -> Path:
    """A folder with a database that no run has used; a new one takes seconds to make."""
    folder = tmp_path_factory.mktemp("prefect")
    shutil.copy(prefect_server.database, folder / "prefect.db")
    return folder


@pytest.fixture(scope="module")
def printed(home: Path) -> str:
    """What a process prints that starts a server, kills it, and asks for its page."""
    child = start(FLOW, PREFECT_HOME=str(home), **{f"{RECORDER}_FLUSH_INTERVAL": "600"})
    output, faults = child.communicate()
    assert 0 == child.returncode, faults
    return output


def test_server_runs_a_flow(printed: str) -> None:
    """A flow and its tasks run to the end; a FastAPI that Prefect cannot use fails here."""
    assert "[2, 4, 6]" in printed


def test_server_comes_back_after_a_kill(printed: str) -> None:
    """A flow that starts while the server is dead waits for the next one and ends as ever."""
    assert "[8, 10]" in printed


def test_server_answers_no_web_page_but_its_own(printed: str) -> None:
    """Its page asks at its own port; another page, or a name that was pointed here, is refused."""
    for line in ("page True", "own True", "foreign 403", "renamed 400"):
        assert line in printed.splitlines()


def test_server_ends_with_its_process(printed: str) -> None:
    """Nobody listens at the server's address once the process is gone."""
    url = printed.split(maxsplit=1)[0]

    assert url.startswith("http://127.0.0.1:")
    assert ServerAnswer.NO is asked(url)


@pytest.mark.usefixtures("printed")
def test_server_has_written_its_tasks_when_it_ends(home: Path) -> None:
    """Changes of tasks' states wait for others, here ten minutes, and no longer than the run."""
    with sqlite3.connect(home / "prefect.db") as database:
        states = database.execute(
            "SELECT count(*) FROM task_run_state JOIN task_run ON task_run.id = task_run_id"
            " WHERE type = 'COMPLETED' AND flow_run_id ="
            " (SELECT id FROM flow_run ORDER BY created DESC LIMIT 1)"
        ).fetchone()

    assert (2,) == states


class _Stub(ThreadingHTTPServer):
    """A server that gives the same answer to everything."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(answers.get(self.path, b"<html>"))

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/api"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Refuse all connections from now on."""
        self.shutdown()
        self.server_close()


@pytest.fixture
def stub() -> Iterator[_Stub]:
    """A server that looks like Prefect's as far as germline asks it."""
    version = json.dumps(prefect.__version__).encode()
    server = _Stub({"/api/health": b"true", "/api/admin/version": version})
    yield server
    server.stop()


@pytest.fixture
def stranger() -> Iterator[_Stub]:
    """A server that is not Prefect's."""
    server = _Stub({})
    yield server
    server.stop()


@pytest.mark.parametrize("code", [ENTERED, ASKING], ids=["busy", "asking"])
def test_server_of_the_user_that_goes_away_ends_the_run(
    stub: _Stub, tmp_path: Path, code: str
) -> None:
    """The run ends with one line soon after the server's end, whatever it is doing."""
    child = start(code, PREFECT_API_URL=stub.url, PREFECT_HOME=str(tmp_path))
    assert child.stdout is not None
    assert stub.url == child.stdout.readline().strip()

    stub.stop()
    faults = child.communicate(timeout=60)[1]

    assert 1 == child.returncode
    assert faults.startswith(f"error: PREFECT_API_URL: Prefect's server at {stub.url} does not")
    assert 1 == len(faults.splitlines())


def test_only_a_prefect_server_will_do(stub: _Stub, stranger: _Stub) -> None:
    """An address is asked what it is: one that is not Prefect's API is named as such."""
    assert "" == Inquiry(stub.url).fault()
    assert "not Prefect's API" in Inquiry(stranger.url).fault()
    assert "no Prefect server answers" == Inquiry("http://127.0.0.1:9/api").fault()
    for wrong in ("banana", "ftp://127.0.0.1/api", "127.0.0.1:4200/api"):
        assert "not an address" in Inquiry(wrong).fault()


def test_error_of_a_request_is_the_server_s_or_another_s() -> None:
    """By the address that was asked; what germline itself says of a connection stays as it is."""
    with pytest.raises(httpx.TransportError) as refused:
        httpx.get("http://127.0.0.1:9/api/admin/version")
    wrapped = RuntimeError("Failed to reach API")
    wrapped.__cause__ = refused.value
    said = GermlineError("the hub does not answer")
    said.__cause__ = refused.value
    assert is_of_server(wrapped, "http://127.0.0.1:9/api/")
    assert not is_of_server(wrapped, "http://127.0.0.1:10/api")
    assert not is_of_server(said, "http://127.0.0.1:9/api")


def test_server_of_the_user_must_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """PREFECT_API_URL without a server behind it is said, not waited for."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))

    with (
        pytest.raises(GermlineError, match=r"PREFECT_API_URL: http://127.0.0.1:9/api: no Prefect"),
        Server() as server,
        server.ready(),
    ):
        pass


def test_server_needs_its_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A PREFECT_HOME that cannot be made is said, with what to do."""
    (tmp_path / "file").touch()
    for home in ("file", "file/below"):
        monkeypatch.setenv("PREFECT_HOME", str(tmp_path / home))
        with pytest.raises(GermlineError, match=r"cannot be made or written.*Set PREFECT_HOME"):
            Server()


def test_server_that_gives_up_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last error of its log is the reason, whatever it was."""
    (tmp_path / "prefect.db").write_bytes(b"no database" * 1000)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    said = r"server did not start: file is not a database\. Its log is .*server\.log\. If"
    with pytest.raises(GermlineError, match=said), Server() as server, server.ready():
        pass


def test_server_needs_a_free_port(
    stranger: _Stub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A port that is taken is said at once."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)

    with pytest.raises(GermlineError, match=f"port {stranger.server_port}.*in use.*--port"):
        Server(stranger.server_port)
    assert os.environ.get("PREFECT_API_URL") is None
