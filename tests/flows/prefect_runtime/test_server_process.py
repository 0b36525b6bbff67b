"""The process that runs Prefect's server: what its parent is told by its end."""

import subprocess
import sys
from typing import Any

import anyio
import pytest

from flows.prefect_runtime.server_process import closed
from tests.flows.conftest import ROOT

GIVES_UP = """
import threading, time
from flows.prefect_runtime import server_process
threading.Thread(target=server_process._end_with_input, daemon=True).start()
time.sleep(0.2)
raise SystemExit(3)
"""


def test_server_that_gives_up_says_so_by_its_exit_status() -> None:
    """Its thread that waits for the parent does not make an abort of it, which is tried again."""
    child = subprocess.Popen(
        [sys.executable, "-c", GIVES_UP], stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    code = child.wait(60)  # with its input open, as the parent has it
    assert (3, b"") == (code, child.communicate()[1])


def answers(kind: str, **headers: str) -> list[dict[str, Any]]:
    """Return what a closed server sends to a request or a web socket with these headers."""
    sent: list[dict[str, Any]] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        """Say that a request got through."""
        await send({"type": "reached"})

    async def receive() -> dict[str, str]:
        """Give a web socket's first message."""
        return {"type": f"{kind}.connect"}

    async def send(message: Any) -> None:
        """Take down what is sent."""
        sent.append(dict(message))

    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "path": "/api/events/out", "method": "GET", "headers": lines}
    anyio.run(closed(app, "http://127.0.0.1:4200,http://localhost:4200"), scope, receive, send)
    return sent


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_foreign_pages_and_names_reach_nothing(kind: str) -> None:
    """Neither a request nor a web socket of another page, or for another name, is handed on."""
    own, foreign = "http://127.0.0.1:4200", "http://evil.example"
    reached = [{"type": "reached"}]
    assert reached == answers(kind, host="127.0.0.1:4200", origin=own)
    assert reached == answers(kind, host="localhost:4200")
    for headers in (
        {"host": "127.0.0.1:4200", "origin": foreign},
        {"host": "127.0.0.1:4200", "origin": "null"},
        {"host": "evil.example:4200"},
        {"host": "evil.example", "origin": own},
    ):
        refused = answers(kind, **headers)
        assert refused, headers
        assert reached[0] not in refused, headers


def test_refused_web_socket_is_closed_as_against_the_rules() -> None:
    """A foreign page's web socket is closed before it is accepted, with the code for that."""
    refused = answers("websocket", host="127.0.0.1:4200", origin="http://evil.example")
    assert [{"type": "websocket.close", "code": 1008}] == refused
