"""A Prefect server that lives no longer than the process it serves, and is restarted if it dies.

Prefect starts one by itself where none is named, but Ctrl-C at a terminal then ends that server
along with the flow, which waits a minute for it, and after kill -9 the server lives on. This one
is in a session of its own and ends when its standard input does (server_process.py).
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from flows.prefect_runtime.server_answer import Inquiry, ServerAnswer, asked, is_of_server
from flows.prefect_runtime.server_child import HOST, ServerChild
from stages.errors import GermlineError

# A first start makes the database: 13 s on a quiet machine, more than 90 s at a load of 15 a core.
_START_LIMIT_S = 300.0
_LOOK_S = 0.5
_REFUSED_LIMIT_S = 4.0  # with the grace below less than 10 s: a server of ours is back by then
_FROZEN_LIMIT_S = 15.0  # of our own server: restarting one that would have gone on costs little
_SILENT_LIMIT_S = 30.0  # of another's: it may go on; Prefect itself waits for 60 s
_GRACE_S = 4.0


class Server:
    """A run's Prefect server: the one that PREFECT_API_URL or ``make serve`` names, or its own.

    A new one starts at once and in the background: do other work, then enter ``ready``. It is
    watched from then on: a server of our own that dies is restarted on the same socket, so that
    the flow only waits; if that fails, or another's server goes, the run ends with one line.
    """

    def __init__(self, port: int | None = None, *, page: bool = False) -> None:
        """Start a server if none runs yet; ``page`` gives it the web page and the scheduler.

        Raises:
            GermlineError: PREFECT_HOME cannot be written, or the port cannot be used.
        """
        self._home = _home()
        self._note = self._home / "server.url"
        self.log = self._home / "server.log"
        self._child: ServerChild | None = None
        self._closing = threading.Event()
        self._failure = ""
        self._is_failure_raised = False
        self._is_page = page
        self._inquiry: Inquiry | None = None
        self.url = os.environ.get("PREFECT_API_URL") or self._served()
        if self.url:
            self._inquiry = Inquiry(self.url)
        else:
            self._child = ServerChild(port or 0, self._home, page=page)
            self.url = f"http://{HOST}:{self._child.port}/api"
        self._watcher = threading.Thread(target=self._watch, name="server watch", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        if self._child is None:
            return
        if self._is_page:
            self._note.unlink(missing_ok=True)
        if self._watcher.ident is not None:
            self._watcher.join(_LOOK_S)
        self._child.end()

    @contextmanager
    def ready(self) -> Iterator[str]:
        """Wait until the server answers and point Prefect at it; give its address.

        Raises:
            GermlineError: it does not answer, or stops doing so and cannot be restarted.
        """
        from prefect.logging.handlers import APILogHandler
        from prefect.settings import PREFECT_API_URL, temporary_settings

        self._wait()
        self._watcher.start()
        if self._is_page and self._child is not None:
            self._note.write_text(self.url, encoding="utf-8")
        os.environ["PREFECT_API_URL"] = self.url
        # Prefect's log handler would say in the middle of a line that the server is gone.
        says_log_errors, logging.raiseExceptions = logging.raiseExceptions, False
        try:
            with temporary_settings({PREFECT_API_URL: self.url}):
                yield self.url
        except BaseException as error:
            if not self._failure and is_of_server(error, self.url):
                self._failure = self._gone  # Prefect's client was faster than the watcher
            if not self._failure:
                raise
            self._is_failure_raised = True
            raise GermlineError(self._failure) from error
        finally:
            if not self._failure:
                APILogHandler().flush()  # what it holds cannot be sent once the server has ended
                logging.raiseExceptions = says_log_errors
            if self._child is not None:
                del os.environ["PREFECT_API_URL"]

    def _served(self) -> str:
        """Return the address that ``make serve`` noted, if a Prefect server answers there.

        Raises:
            GermlineError: one does, and this is ``make serve`` as well.
        """
        with suppress(OSError, UnicodeDecodeError):
            url = self._note.read_text(encoding="utf-8")
            if not Inquiry(url).fault():
                if self._is_page:
                    raise GermlineError(
                        f"{self._note}: the schedule of this checkout is served already, at "
                        f"{url.removesuffix('/api')}. Stop that one first."
                    )
                return url
        return ""

    def _wait(self) -> None:
        if self._inquiry is not None:
            if fault := self._inquiry.fault():
                raise GermlineError(
                    f"PREFECT_API_URL: {self.url}: {fault}. Start Prefect's server there or "
                    "correct the address; unset PREFECT_API_URL and germline starts one."
                )
            return
        assert self._child is not None  # noqa: S101  (for the type checker)
        deadline = time.monotonic() + _START_LIMIT_S
        while asked(self.url) is not ServerAnswer.YES:
            is_hopeless = self._child.keep()
            if is_hopeless or time.monotonic() > deadline:
                raise GermlineError(f"Prefect's server did not start{self._child.hint}")

    def _watch(self) -> None:
        faults = self._child_faults() if self._child else self._named_faults()
        while not self._closing.wait(_LOOK_S):
            if fault := next(faults):
                self._fail(fault)
                return

    def _child_faults(self) -> Iterator[str]:
        """Yield what is wrong with our own server at each check; restart it where it ended."""
        child = self._child
        assert child is not None  # noqa: S101  (for the type checker)
        silent_since: float | None = None
        while True:
            now = time.monotonic()
            if child.has_ended:
                silent_since = None
            elif asked(self.url) is ServerAnswer.YES:
                silent_since = None
                child.is_up = True
            elif silent_since is None:
                silent_since = now
            elif now - silent_since > (_FROZEN_LIMIT_S if child.is_up else _START_LIMIT_S):
                child.kill()
            fault = child.keep()
            yield (
                f"Prefect's server ended and could not be restarted{child.hint}" if fault else ""
            )

    def _named_faults(self) -> Iterator[str]:
        """Yield what is wrong with a named server at each check; short lapses are not a fault."""
        last = time.monotonic()
        while True:
            answer = asked(self.url)
            now = time.monotonic()
            if answer is ServerAnswer.YES:
                last = now
            limit = _SILENT_LIMIT_S if answer is ServerAnswer.SILENT else _REFUSED_LIMIT_S
            yield self._gone if now - last > limit else ""

    @property
    def _gone(self) -> str:
        where = "Prefect's server" if self._child else "PREFECT_API_URL: Prefect's server"
        start = "Run" if self._child else "Start it and run"
        return (
            f"{where} at {self.url} does not answer any more. {start} the same command: it goes "
            "on from what is done."
        )

    def _fail(self, message: str) -> None:
        """End the run with ``message``, by Ctrl-C if that works, else by force.

        Prefect's client would go on asking for minutes, also when the interpreter ends.
        """
        self._failure = message
        main = threading.main_thread().ident
        if main is not None:
            signal.pthread_kill(main, signal.SIGINT)
        time.sleep(_GRACE_S)
        if not self._is_failure_raised:
            with suppress(OSError, ValueError):
                print(f"error: {message}", file=sys.stderr)  # noqa: T201
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(1)


def _home() -> Path:
    """Return Prefect's folder, which exists and can be written.

    Raises:
        GermlineError: the folder cannot be made or written.
    """
    home = Path(os.environ["PREFECT_HOME"]).expanduser().absolute()
    try:
        home.mkdir(parents=True, exist_ok=True)
        (home / "server.log").open("ab").close()
    except OSError as error:
        raise GermlineError(
            f"PREFECT_HOME: {home} cannot be made or written: {error.strerror}. Prefect keeps its "
            "database there. Set PREFECT_HOME to a folder that you may write to, or unset it."
        ) from error
    return home
