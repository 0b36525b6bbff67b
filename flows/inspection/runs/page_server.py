"""Serves the page of a run to a browser on this machine, and nothing else to nobody else."""

from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from stages.errors import GermlineError

_HOST = "127.0.0.1"


class _PageRequest(BaseHTTPRequestHandler):
    """Answers GET / with the page as it is on disk now."""

    def __init__(self, *given: Any, page: Callable[[], Path | None]) -> None:
        self._page = page
        super().__init__(*given)

    def do_GET(self) -> None:
        """Send the page; any other address is unknown, as is a name that leads here by a trick."""
        host = str(self.headers.get("Host")).rsplit(":", 1)[0]
        page = self._page() if self.path == "/" and host in (_HOST, "localhost") else None
        if page is None:
            self.send_error(404)
            return
        body = page.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the terminal is the user's."""


def page_server(page: Callable[[], Path | None], port: int) -> ThreadingHTTPServer:
    """Return a server of the file that ``page`` names, asked again for each request; 0: any port.

    Only this machine reaches it.

    Raises:
        GermlineError: the port is taken.
    """
    try:
        return ThreadingHTTPServer((_HOST, port), partial(_PageRequest, page=page))
    except OSError as error:
        raise GermlineError(
            f"--serve: port {port} of {_HOST} cannot be used: {error.strerror or error}. Choose "
            "another with --port."
        ) from error


def address_of(server: ThreadingHTTPServer) -> str:
    """Return the address that a person types into a browser."""
    return f"http://{_HOST}:{server.server_address[1]}/"
