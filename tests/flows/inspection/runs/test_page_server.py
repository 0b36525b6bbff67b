"""The page is served to this machine, as it is on disk, and nothing else is."""

import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import pytest

from flows.inspection.runs.page_server import address_of, page_server
from stages.errors import GermlineError


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Serve ``page.html`` of a folder, which is not there yet."""
    page = tmp_path / "page.html"
    with page_server(lambda: page if page.exists() else None, 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield int(address_of(server).rstrip("/").rsplit(":", 1)[1])
        server.shutdown()
        thread.join()


def asked(port: int, path: str = "/", host: str = "127.0.0.1") -> tuple[int, bytes]:
    """Return the status and the body of an answer."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path, headers={"Host": f"{host}:{port}"})
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_the_page_is_served_as_it_is_now(port: int, tmp_path: Path) -> None:
    """Before it is written there is none; each request reads it again."""
    status, waiting = asked(port)
    assert 404 == status
    assert b"There is no page of this project yet" in waiting
    assert b'http-equiv="refresh"' in waiting
    for text in ("<p>one</p>", "<p>two</p>"):
        (tmp_path / "page.html").write_text(text)
        assert (200, text.encode()) == asked(port)


def test_nothing_else_is_served(port: int, tmp_path: Path) -> None:
    """No other file, and nothing to a page of another name that leads here."""
    (tmp_path / "page.html").write_text("page")
    assert 404 == asked(port, "/page.html")[0]
    assert 404 == asked(port, "/../page.html")[0]
    assert 404 == asked(port, host="evil.example")[0]


def test_a_browser_that_leaves_is_not_told_at_the_terminal(
    port: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A page is larger than what the network holds; the next browser gets it."""
    page = b"x" * 50_000_000
    (tmp_path / "page.html").write_bytes(page)
    with socket.create_connection(("127.0.0.1", port)) as browser:
        browser.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        browser.recv(1)
        browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert (200, page) == asked(port)
    assert "" == capfd.readouterr().err


def test_a_port_that_is_taken_is_said(port: int) -> None:
    """The message says what to do."""
    with pytest.raises(GermlineError, match=f"port {port} of .* Choose another with --port"):
        page_server(lambda: None, port)
