"""Whether a Prefect server answers at an address, and if not, in a few words why."""

import threading
from contextlib import suppress
from enum import Enum, auto
from urllib.parse import urlsplit

import httpx

from stages.errors import GermlineError

_ASK_LIMIT_S = 5.0
_NAMED_LIMIT_S = 6.0
_STRANGER = "what answers is not Prefect's API, whose address ends with /api"
_REFUSALS = {
    401: "asks for a password or key; set PREFECT_API_AUTH_STRING or PREFECT_API_KEY",
    403: "refuses this user; check PREFECT_API_AUTH_STRING or PREFECT_API_KEY",
}


class ServerAnswer(Enum):
    """How an address answers."""

    YES = auto()  # a server speaks HTTP there
    SILENT = auto()  # something accepts the connection and does not answer in time
    NO = auto()  # the connection is refused, or what answers is not HTTP


def asked(url: str) -> ServerAnswer:
    """Ask a server that is known to be Prefect's whether it is well, in seconds."""
    try:
        # verify: whether to trust it is for Prefect's own client, which has the certificates
        httpx.get(f"{url}/health", timeout=_ASK_LIMIT_S, verify=False)  # noqa: S501
    except httpx.TimeoutException:
        return ServerAnswer.SILENT
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
        return ServerAnswer.NO
    return ServerAnswer.YES


def is_of_server(error: BaseException, url: str) -> bool:
    """Return whether ``error`` comes of a connection to the server at ``url`` that failed."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, GermlineError):
        if isinstance(cause, httpx.TransportError):
            with suppress(RuntimeError):  # an error without its request
                return str(cause.request.url).startswith(url.rstrip("/"))
        cause = cause.__cause__ or cause.__context__
    return False


class Inquiry:
    """Finds out in the background whether an address is the API of a usable Prefect server."""

    def __init__(self, url: str) -> None:
        import prefect.client.orchestration  # noqa: F401  (not first by two threads at once)

        self._faults = ["nothing answers in time"]
        # a daemon: a name that is looked up for minutes, or an answer in drops, must not hold us
        self._thread = threading.Thread(
            target=lambda: self._faults.append(_named_fault(url)), daemon=True
        )
        self._thread.start()

    def fault(self) -> str:
        """Return why the address is not usable, after some seconds at most; empty if it is."""
        self._thread.join(_NAMED_LIMIT_S)
        return self._faults[-1]


def _named_fault(url: str) -> str:
    try:
        return _fault(url)
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        return _REFUSALS.get(code, f"{_STRANGER} (HTTP {code})")
    except httpx.TimeoutException:
        return "nothing answers in time"
    except httpx.ConnectError:
        return "no Prefect server answers"
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
        return _STRANGER


def _fault(url: str) -> str:
    import prefect
    from prefect.client.base import ServerType
    from prefect.client.orchestration import get_client
    from prefect.settings import (
        PREFECT_API_REQUEST_TIMEOUT,
        PREFECT_API_URL,
        PREFECT_CLIENT_MAX_RETRIES,
        temporary_settings,
    )

    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        return "not an address such as http://127.0.0.1:4200/api"
    once = {
        PREFECT_API_URL: url,
        PREFECT_CLIENT_MAX_RETRIES: 0,
        PREFECT_API_REQUEST_TIMEOUT: _NAMED_LIMIT_S,
    }
    with temporary_settings(once), get_client(sync_client=True) as client:
        if client.request("GET", "/health").json() is not True:
            return _STRANGER
        if client.server_type == ServerType.CLOUD:
            return ""
        version = client.api_version()
    if str(version).split(".")[0] != prefect.__version__.split(".")[0]:
        return f"a server of Prefect {version}, and this is Prefect {prefect.__version__}"
    return ""
