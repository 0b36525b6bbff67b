"""A local server that speaks as much of the OpenAI protocol as a judge needs."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """What the server says to one request: a text as completion, or ``raw`` bytes."""

    text: Any = "7"
    status: int = 200
    raw: bytes | None = None
    wait_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """One request as the server got it."""

    path: str
    key: str | None
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        """The text of its only message."""
        (message,) = self.body["messages"]
        assert "user" == message["role"]
        return str(message["content"])


class JudgeServer(ThreadingHTTPServer):
    """Answers as ``decide`` says of (request, how many times its prompt was asked before)."""

    daemon_threads = True

    def __init__(self, decide: Callable[[Asked, int], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.decide = decide
        self.asked: list[Asked] = []
        self.gate = threading.Lock()

    @property
    def url(self) -> str:
        """The address that params name."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: JudgeServer

    def do_POST(self) -> None:
        """Take a request down and answer it."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = Asked(self.path, self.headers.get("Authorization"), body)
        with self.server.gate:
            before = sum(asked.prompt == other.prompt for other in self.server.asked)
            self.server.asked.append(asked)
        reply = self.server.decide(asked, before)
        time.sleep(reply.wait_s)
        said = {"choices": [{"message": {"role": "assistant", "content": reply.text}}]}
        content = json.dumps(said).encode() if reply.raw is None else reply.raw
        try:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            return  # the judge's patience ended first

    def log_message(self, *_: object) -> None:
        """Write nothing to the terminal."""


@contextmanager
def judging(decide: Callable[[Asked, int], Reply]) -> Iterator[JudgeServer]:
    """Run a server for the block."""
    with JudgeServer(decide) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
