"""Serves the page of a run to a browser on this machine, and nothing else to nobody else."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from stages.errors import GermlineError

_HOST = "127.0.0.1"
_NO_PAGE_YET = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="5"><title>no page yet</title>
<p>There is no page of this project yet: a run writes it when its first generation is scored.
This waits for it.</p></html>
"""


class _PageRequest(BaseHTTPRequestHandler):
    """Answers GET / with the page as it is on disk now."""

    def __init__(self, *given: Any, page: Callable[[], Path | None]) -> None:
        self._page = page
        super().__init__(*given)

    def do_GET(self) -> None:
        """Send the page; any other address is unknown, as is a name that leads here by a trick."""
        host = str(self.headers.get("Host")).rsplit(":", 1)[0]
        if self.path != "/" or host not in (_HOST, "localhost"):
            self.send_error(404)
            return
        page = self._page()
        body = _NO_PAGE_YET if page is None else page.read_bytes()
        with suppress(ConnectionError):  # the browser left before it had all of it
            self.send_response(404 if page is None else 200)
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
