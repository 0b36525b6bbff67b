"""What the hub's answers mean: which may pass when asked again, and what to say of the others."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TypeVar

import httpx2
from huggingface_hub import constants, get_token
from huggingface_hub.errors import (
    DisabledRepoError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from stages.download.sources.transfer_threads import WrongBytesError
from stages.errors import CheckpointError, words_of
from stages.retry_after import asked_wait_s

T = TypeVar("T")

HUB_ERRORS: tuple[type[Exception], ...] = (httpx2.HTTPError, OSError, HFValidationError)
_UNREACHED = (ConnectionError, TimeoutError, LocalEntryNotFoundError)
_TRIES = 5
_LONGEST_WAIT_S = 8.0  # of our own, doubled from 1 s
_LONGEST_ASKED_WAIT_S = 600.0  # a server that asks for a longer one is not asked again
_CHECK_WAY = "Check HF_ENDPOINT, the proxy and the firewall."
_AGAIN = "and run again: what was fetched is kept."


class OddAnswerError(OSError):
    """The server answered, but not as a hub does; the message says in which way."""


class BrokenOffError(ConnectionError):
    """A transfer ended before the last byte, without an error of its own."""


def patiently(ask: Callable[[], T]) -> T:
    """Return what ``ask`` returns, asked again while the server is busy or breaks off.

    Raises:
        OSError: the server was still busy the last time, or the error is one that stays.
    """
    tries = Retrying(
        stop=stop_after_attempt(_TRIES),
        retry=retry_if_exception(_may_pass),
        wait=_wait_s,
        reraise=True,
    )
    return tries(ask)


def understood(ask: Callable[[], T]) -> T:
    """Return what ``ask``, a question to huggingface_hub, returns.

    Raises:
        OSError: that of ``ask``; an ``OddAnswerError`` where the library cannot read the answer.
    """
    try:
        return ask()
    except HUB_ERRORS:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise OddAnswerError("its answer is not the JSON that a hub sends") from error


@contextmanager
def translated() -> Iterator[None]:
    """Turn each of huggingface_hub's errors into one message: what happened and what to do.

    Those of the disk stay as they are.
    """
    try:
        yield
    except WrongBytesError as error:
        raise CheckpointError(str(error)) from error
    except HUB_ERRORS as error:
        is_disk = isinstance(error, OSError) and error.errno is not None
        if is_disk and not isinstance(error, (httpx2.HTTPError, *_UNREACHED)):
            raise
        raise CheckpointError(_explain(error)) from error


def is_unanswered(error: BaseException | None) -> bool:
    """Return whether the hub was not asked, not reached, or too busy to answer."""
    if isinstance(error, HfHubHTTPError):
        return _is_busy(error)
    return not isinstance(error, HFValidationError)


def endpoint() -> str:
    """Return the hub's address; HF_ENDPOINT gives another than the public one."""
    return os.environ.get("HF_ENDPOINT") or constants.ENDPOINT


def _is_busy(error: HfHubHTTPError) -> bool:
    status = error.response.status_code
    return status >= 500 or status in {408, 429}


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, HfHubHTTPError):
        return _is_busy(error) and _asked_s(error) <= _LONGEST_ASKED_WAIT_S
    return isinstance(error, (BrokenOffError, httpx2.ReadError, httpx2.RemoteProtocolError))


def _wait_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked_s = _asked_s(error) if isinstance(error, HfHubHTTPError) else 0.0
    return max(asked_s, min(_LONGEST_WAIT_S, 2.0 ** (state.attempt_number - 1)))


def _asked_s(error: HfHubHTTPError) -> float:
    """Return how long the answer asks to wait: by Retry-After, or by the hub's own RateLimit."""
    headers = error.response.headers
    limit = parse_ratelimit_headers(headers)
    is_used_up = limit is not None and limit.remaining == 0
    return max(asked_wait_s(headers), limit.reset_in_seconds if limit and is_used_up else 0.0)


def _explain(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(error, LocalEntryNotFoundError) and isinstance(cause, HUB_ERRORS):
        error = cause
    if isinstance(error, OfflineModeIsEnabled):
        return (
            "HF_HUB_OFFLINE is set, so the hub was not asked. Fetch the model once where the hub "
            "can be reached, with the same HF_HOME: a commit that is whole in the cache is found."
        )
    if isinstance(error, HFValidationError):
        return f"not a legal repository name: {words_of(error)}. Write ORG/NAME@REVISION."
    if isinstance(error, HfHubHTTPError):
        return _explain_answer(error)
    if isinstance(error, (FileMetadataError, OddAnswerError, httpx2.TooManyRedirects)):
        is_bare = isinstance(error, FileMetadataError)
        oddity = "it names no commit, ETag or size" if is_bare else words_of(error)
        return f"{endpoint()} answers, but not as a hub does: {oddity}. {_CHECK_WAY}"
    if isinstance(error, BrokenOffError):
        return f"{endpoint()} broke off {error}. Check the network, {_AGAIN}"
    return (
        f"{endpoint()} does not answer or broke off ({type(error).__name__}). Check the network "
        f"and HF_ENDPOINT, {_AGAIN}"
    )


def _explain_answer(error: HfHubHTTPError) -> str:
    if isinstance(error, RevisionNotFoundError):
        return (
            "the repository has no such revision. Give a commit (40 digits), a tag or a branch "
            "that its History page lists."
        )
    if isinstance(error, GatedRepoError):
        return f"the repository is gated. Accept its terms on its page, then {_token_advice()}"
    answer = f"{endpoint()} answered {error.response.status_code}"
    refusal = _refusal(error)
    if refusal is not None:
        return f"{answer}: {refusal}"
    if not _is_busy(error):
        status = error.response.status_code
        phrase = HTTPStatus(status).phrase if status in {*HTTPStatus} else "a status of its own"
        return f"{answer} ({phrase}), as it will again. {_CHECK_WAY}"
    asked_s = _asked_s(error)
    tries = f", {_TRIES} times" if _may_pass(error) else ""
    return f"{answer}{tries}. Wait{f' {asked_s:.0f} s, as it asks' if asked_s else ''}, {_AGAIN}"


def _refusal(error: HfHubHTTPError) -> str | None:
    """Return what an answer says that will be the same the next time."""
    status = error.response.status_code
    if status == 401 and get_token():
        return f"the token is wrong or has expired; {_token_advice()}"
    if isinstance(error, DisabledRepoError):
        return "the repository was disabled, by the hub or its owner. Take another."
    if isinstance(error, RepositoryNotFoundError):
        return (
            "no such repository, or a private one. Check the name; for a private one, "
            f"{_token_advice()}"
        )
    if status in {401, 403}:
        return f"this may not be read {'with' if get_token() else 'without'} a token; " + (
            _token_advice()
        )
    if status == 404:
        is_file = "/resolve/" in error.response.url.path
        return (
            "the repository lists a file that the hub does not have. Take another revision."
            if is_file
            else "no such repository, or not a hub. Check the name and HF_ENDPOINT."
        )
    return None


def _token_advice() -> str:
    if os.environ.get("HF_TOKEN"):
        now = "set"
    else:
        now = "not set, a token of `hf auth login` is used" if get_token() else "not set"
    return f"set HF_TOKEN (now {now}) to a token that reads it."
