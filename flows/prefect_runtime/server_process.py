"""Run Prefect's server on a socket that the parent process holds, until standard input ends.

Run as ``python -m flows.prefect_runtime.server_process HANDLE``, with the number of the socket.
"""

import os
import signal
import socket
import sys
import threading
import time
from urllib.parse import urlsplit

import uvicorn
from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_END_LIMIT_S = 3.0
_POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1


class OwnPagesOnly:
    """Refuses what a browser sends on behalf of any page but the server's own.

    CORS alone keeps a foreign page from reading answers, not from sending requests, and does not
    hold for web sockets.
    """

    def __init__(self, app: ASGIApp, origins: frozenset[str]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, or refuse it by its Origin."""
        if scope["type"] in {"http", "websocket"}:
            origin = Headers(scope=scope).get("origin")
            if origin is not None and origin not in self._origins:
                await _refuse(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        return
    await PlainTextResponse("Origin not allowed", status_code=403)(scope, receive, send)


def closed(app: ASGIApp, allowed: str) -> ASGIApp:
    """Return ``app`` closed to web pages that are not of the ``allowed`` origins.

    ``allowed``: as in PREFECT_SERVER_CORS_ALLOWED_ORIGINS, with commas; ``*`` for all. A request
    for another host's name is refused as well: a foreign page may have had its own name point
    here, and then has the same origin as this server.
    """
    origins = frozenset(allowed.split(","))
    if "*" in origins:
        return app
    hosts = sorted({urlsplit(origin).hostname or "" for origin in origins})
    return TrustedHostMiddleware(
        OwnPagesOnly(app, origins), allowed_hosts=["127.0.0.1", "localhost", *hosts]
    )


def _end_with_input() -> None:
    # Not by sys.stdin, whose lock a server that gives up could not take: it would abort.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_END_LIMIT_S)
    os._exit(1)


def run(handle: int) -> None:
    """Run the server until standard input ends."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    from prefect.server.api.server import create_app

    app = closed(create_app(), os.environ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"])
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=handle)])


if __name__ == "__main__":
    run(int(sys.argv[1]))
