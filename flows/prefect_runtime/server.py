"""A Prefect server that lives no longer than the process it serves.

Prefect starts one by itself where none is named, but Ctrl-C at a terminal then ends that server
along with the flow, which waits a minute for it, and after kill -9 the server lives on. This one
is in a session of its own and ends when its standard input does.

Run as ``python -m flows.prefect_runtime.server PORT``, it is that server.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from stages.errors import GermlineError

HOST = "127.0.0.1"
_START_LIMIT_S = 90.0  # a first start makes the database; a loaded machine takes its time
_END_LIMIT_S = 5.0


class Server:
    """A run's Prefect server: the one that PREFECT_API_URL or ``make serve`` names, or its own.

    A new one starts at once and in the background: do other work, then enter ``ready``.
    """

    def __init__(self, port: int | None = None, *, page: bool = False) -> None:
        """Start a server if none is at hand; ``page`` gives it the web page and the scheduler."""
        home = Path(os.environ["PREFECT_HOME"])
        home.mkdir(parents=True, exist_ok=True)
        self._log = home / "server.log"
        self._note = home / "server.url" if page else None
        self._child: subprocess.Popen[bytes] | None = None
        self.url = os.environ.get("PREFECT_API_URL") or _served(home / "server.url")
        if not self.url:
            port = port or _free_port()
            self.url = f"http://{HOST}:{port}/api"
            self._child = self._start(port, page=page)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is None:
            return
        if self._note is not None:
            self._note.unlink(missing_ok=True)
        if self._child.stdin is not None:
            self._child.stdin.close()
        try:
            self._child.wait(2 * _END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    @contextmanager
    def ready(self) -> Iterator[str]:
        """Wait until the server answers and point Prefect at it; give its address.

        Raises:
            GermlineError: it does not answer.
        """
        from prefect.logging.handlers import APILogHandler
        from prefect.settings import PREFECT_API_URL, temporary_settings

        self._wait()
        if self._note is not None:
            self._note.write_text(self.url, encoding="utf-8")
        os.environ["PREFECT_API_URL"] = self.url
        try:
            with temporary_settings({PREFECT_API_URL: self.url}):
                yield self.url
        finally:
            APILogHandler().flush()  # what it still holds cannot be sent once the server has ended
            if self._child is not None:
                del os.environ["PREFECT_API_URL"]

    def _start(self, port: int, *, page: bool) -> subprocess.Popen[bytes]:
        hidden = {} if page else {"PREFECT__SERVER_EPHEMERAL": "1", "PREFECT_UI_ENABLED": "0"}
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "flows.prefect_runtime.server", str(port)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[1],
                env={**os.environ, **hidden, "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING"},
                start_new_session=True,  # Ctrl-C is for the flow, which then reports to the server
            )

    def _wait(self) -> None:
        deadline = time.monotonic() + (_START_LIMIT_S if self._child else 0)
        while not _answers(self.url):
            ended = self._child is not None and self._child.poll() is not None
            if self._child is None:
                raise GermlineError(
                    f"PREFECT_API_URL: no Prefect server answers at {self.url}. Start it, or "
                    "unset PREFECT_API_URL and germline starts one."
                )
            if ended or time.monotonic() > deadline:
                raise GermlineError(
                    f"Prefect's server did not start; its log is {self._log}. If another one "
                    "holds its port or its database, stop that one."
                )
            time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/health", timeout=5):  # noqa: S310  (http, on this machine or the user's word)
            return True
    except HTTPError:
        return True  # somebody is there; Prefect will say what is wrong
    except (URLError, OSError):
        return False


def _served(note: Path) -> str:
    """Return the address that ``make serve`` noted, if that server still answers."""
    with suppress(FileNotFoundError):
        url = note.read_text(encoding="utf-8")
        if _answers(url):
            return url
    return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_END_LIMIT_S)
    os._exit(1)


def run(port: int) -> None:
    """Be the server until standard input ends."""
    import uvicorn

    threading.Thread(target=_end_with_input, daemon=True).start()
    uvicorn.run(
        "prefect.server.api.server:create_app",
        factory=True,
        host=HOST,
        port=port,
        log_level="error",
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    run(int(sys.argv[1]))
