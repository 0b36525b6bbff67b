"""A local server that speaks as much of the OpenAI protocol as clients and judges need."""

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
    """What the server says to one request: a body as JSON, or ``raw`` bytes.

    It comes after ``wait_s``, and with ``drip_s`` byte by byte, that long apart.
    """

    body: Any = None
    status: int = 200
    raw: bytes | None = None
    wait_s: float = 0.0
    drip_s: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """One request as the server got it."""

    path: str
    key: str | None
    body: dict[str, Any]
    coding: str | None = None  # of a reply that the client can read

    @property
    def prompt(self) -> str:
        """The text that is to be continued or answered."""
        return str(self.body.get("prompt") or self.body["messages"][-1]["content"])


def completion(request: Request, text: Any) -> Reply:
    """Return ``text`` as the completion that the path asks for."""
    said = {"message": {"content": text}} if "chat" in request.path else {"text": text}
    return Reply({"choices": [{"index": 0, **said}]})


class CompletionsServer(ThreadingHTTPServer):
    """Answers as ``decide`` says of a request and the number of those before it."""

    daemon_threads = True

    def __init__(self, decide: Callable[[Request, int], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.decide = decide
        self.asked: list[Request] = []
        self.gate = threading.Lock()

    @property
    def url(self) -> str:
        """The address below which both protocols are."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: CompletionsServer

    def do_POST(self) -> None:
        """Take a request down and answer it."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = Request(
            self.path, self.headers.get("Authorization"), body, self.headers.get("Accept-Encoding")
        )
        with self.server.gate:
            before = len(self.server.asked)
            self.server.asked.append(request)
        reply = self.server.decide(request, before)
        time.sleep(reply.wait_s)
        content = json.dumps(reply.body).encode() if reply.raw is None else reply.raw
        try:
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            for part in [content[i : i + 1] for i in range(len(content))] if reply.drip_s else ():
                self.wfile.write(part)
                time.sleep(reply.drip_s)
            self.wfile.write(b"" if reply.drip_s else content)
        except OSError:
            return  # the client's patience ended first

    def log_message(self, *_: object) -> None:
        """Write nothing to the terminal."""


@contextmanager
def serving(decide: Callable[[Request, int], Reply]) -> Iterator[CompletionsServer]:
    """Run a server for the block."""
    with CompletionsServer(decide) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
