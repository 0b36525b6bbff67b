"""Prefect's server as a child process on a socket that outlives it.

The parent keeps the listening socket. While a server that died is restarted, requests wait in the
socket's queue instead of being refused, and Prefect's client sees no more than a slow answer.
"""

import os
import re
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from stages.errors import GermlineError

HOST = "127.0.0.1"
_QUEUE = 1024  # connections that wait for a server which is being restarted
_MOST_ENDS = 10  # ends within _ENDS_WITHIN_S before the server counts as broken
_ENDS_WITHIN_S = 60.0
_END_LIMIT_S = 3.0
# The last line of a traceback: kind: (kind of the database's error) text.
_ERROR = re.compile(r"^[\w.]+(?:Error|Exception): (?:\([\w.]+\) )?(.+)$", re.MULTILINE)


class ServerChild:
    """A server process that is started again, on the same port, each time it has ended."""

    def __init__(self, port: int, home: Path, *, page: bool) -> None:
        """Listen at ``port``, or at a free one if it is 0, and start the server.

        Raises:
            GermlineError: the port is taken or cannot be used.
        """
        try:
            self._socket = socket.create_server((HOST, port), backlog=_QUEUE)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise GermlineError(
                f"port {port} of {HOST}: {reason}. Stop what listens there or give another --port."
            ) from error
        self.port = int(self._socket.getsockname()[1])
        self.is_up = False
        self._log = home / "server.log"
        self._environment = {**os.environ, **_settings(self.port, home, page=page)}
        self._ends: list[float] = []
        self._log.write_bytes(b"")
        self._process = self._start()

    @property
    def hint(self) -> str:
        """The reason for an end, as far as its log tells, and where the log is."""
        reason = _last_error(self._log)
        return (
            f"{': ' if reason else ''}{reason}. Its log is {self._log}. If another one holds its "
            "database, stop that one."
        )

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def keep(self) -> bool:
        """Restart the server if it has ended; return True where restarting is useless."""
        code = self._process.poll()
        if code is None:
            return False
        now = time.monotonic()
        self._ends = [end for end in self._ends if now - end < _ENDS_WITHIN_S] + [now]
        gave_up_itself = code > 0 and not self.is_up
        if gave_up_itself or len(self._ends) > _MOST_ENDS:
            return True
        self.is_up = False
        try:
            self._process = self._start()
        except OSError:
            return True
        return False

    def kill(self) -> None:
        """End a server that does not answer any more."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """End the server for good and free its port."""
        self._socket.close()
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def _start(self) -> subprocess.Popen[bytes]:
        handle = self._socket.fileno()
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "flows.prefect_runtime.server_process", str(handle)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[2],
                env=self._environment,
                pass_fds=(handle,),
                start_new_session=True,  # Ctrl-C is for the flow, which then reports to the server
            )


def _last_error(log: Path) -> str:
    """Return what the last traceback of a log ends with; "" where it has none.

    SQLAlchemy puts the database's own kind of error before what that says.
    """
    with suppress(OSError):
        endings = _ERROR.findall(log.read_text(encoding="utf-8", errors="replace"))
        return str(endings[-1]).strip().rstrip(".") if endings else ""
    return ""


def _settings(port: int, home: Path, *, page: bool) -> dict[str, str]:
    """Return the server's own environment; what the user has set about its page is left alone."""
    own = f"http://{HOST}:{port}"
    asked = {
        # Where the page in the browser finds its data, and which pages may ask for it.
        "PREFECT_SERVER_UI_API_URL": f"{own}/api",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"{own},http://localhost:{port}",
    }
    # Prefect's default is a transaction for each change of each task's state, which was half of
    # what a search of small models cost the server; the page is a second behind.
    recorder = "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER"
    asked |= {f"{recorder}_BATCH_SIZE": "100", f"{recorder}_FLUSH_INTERVAL": "1"}
    hidden = {} if page else {"PREFECT__SERVER_EPHEMERAL": "1", "PREFECT_UI_ENABLED": "0"}
    return {
        **{name: os.environ.get(name, value) for name, value in asked.items()},
        **hidden,
        "PREFECT_HOME": str(home),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
    }
