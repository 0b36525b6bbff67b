"""Ask a judge's server: several requests at once, each with a deadline, patient but not for ever.

All of it runs in one event loop, so that Ctrl-C and a refusal end every request at once.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
from anyio.from_thread import start_blocking_portal
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from stages.errors import GermlineError, ParamsError, ServiceError, words_of
from stages.evaluate.measures import answer_files
from stages.params.task_params import JudgeParams
from stages.retry_after import asked_wait_s

_NUMBER = re.compile(r"\s*([-+]?\d+(?:\.\d+)?)\s*")
_BUSY = (408, 409, 425, 429)  # and any 5xx: the same request may succeed later
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0
_LONGEST_REPLY_BYTES = 10_000_000  # a verdict with all of a model's reasoning is far shorter
_LONGEST_ASKED_WAIT_S = 600.0  # a server that asks for a longer one is not asked again


@dataclass(frozen=True, slots=True)
class Question:
    """One request to the judge; ``where`` names its task and item, ``key`` its verdict."""

    prompt: str
    where: str
    key: str


class _TryAgainError(Exception):
    """A reply that is not a verdict, though another try may give one."""

    def __init__(self, message: str, *, advice: str = "", after_s: float = 0.0) -> None:
        super().__init__(message)
        self.advice = advice
        self.after_s = after_s


def ask(params: JudgeParams, questions: Sequence[Question]) -> list[float]:
    """Return the judge's verdict on each question, kept as it comes.

    An error names the first question, in order, without a verdict, in whatever order replies
    arrive; requests under way are awaited first, as their verdicts cost money.

    Raises:
        ServiceError: the judge cannot be reached, is busy or too slow, or its replies are not
            verdicts, also when tried again.
        ParamsError: the judge refuses a request, or the API key is not in the environment.
    """
    asking = _Asking(params)
    with (
        start_blocking_portal() as portal
    ):  # in another thread: the caller's may have an event loop
        return portal.call(asking.ask_all, questions)


class _Asking:
    def __init__(self, params: JudgeParams) -> None:
        self._params = params
        self._body = params.model_dump(mode="json")["body"]
        self._headers = _headers(params.api_key_env)
        self._free_at = 0.0  # on the loop's clock: the server wants no request before
        self._verdicts: dict[int, float] = {}
        self._faults: dict[int, GermlineError] = {}

    async def ask_all(self, questions: Sequence[Question]) -> list[float]:
        num = self._params.parallel
        waiting = iter(list(enumerate(questions)))
        async with (
            httpx.AsyncClient(
                timeout=None,  # noqa: S113  the deadline below bounds the whole reply
                headers=self._headers,
                limits=httpx.Limits(max_connections=num),
            ) as client,
            anyio.create_task_group() as tasks,
        ):
            for _ in range(min(num, len(questions))):
                tasks.start_soon(self._ask_in_turn, client, waiting, tasks)
        refusals = [e for e in self._faults.values() if isinstance(e, ParamsError)]
        if self._faults:
            raise refusals[0] if refusals else self._faults[min(self._faults)]
        return [self._verdicts[i] for i in range(len(questions))]

    async def _ask_in_turn(
        self,
        client: httpx.AsyncClient,
        waiting: Iterator[tuple[int, Question]],
        tasks: anyio.abc.TaskGroup,
    ) -> None:
        for i, question in waiting:
            try:
                self._verdicts[i] = await self._ask(client, question)
            except GermlineError as error:
                self._faults[i] = error
                if isinstance(error, ParamsError):
                    tasks.cancel_scope.cancel()
            if self._faults:
                return

    async def _ask(self, client: httpx.AsyncClient, question: Question) -> float:
        tries = AsyncRetrying(
            stop=stop_after_attempt(self._params.retries + 1),
            retry=retry_if_exception(_may_pass),
            wait=_wait_s,
            reraise=True,
        )
        try:
            verdict: float = await tries(self._ask_once, client, question.prompt)
        except (httpx.RequestError, _TryAgainError) as error:
            what = str(error) if isinstance(error, _TryAgainError) else _trouble(error)
            num_tries = tries.statistics["attempt_number"]
            tried = "once" if num_tries == 1 else f"{num_tries} times"
            advice = error.advice if isinstance(error, _TryAgainError) else ""
            raise ServiceError(
                f"{question.where}: judge {self._params.model}: {what}, tried {tried}. "
                f"{advice or 'Check that it runs.'} Verdicts so far are kept; with another "
                "judge.timeout_s or judge.retries the candidate is tried again."
            ) from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise ParamsError(
                f"judge.url: {self._params.url}: {words_of(error)}. Give an address such as "
                "https://api.example.com/v1."
            ) from error
        return answer_files.keep(question.key, verdict)

    async def _ask_once(self, client: httpx.AsyncClient, prompt: str) -> float:
        await anyio.sleep_until(self._free_at)
        body = {
            **self._body,
            "messages": [{"role": "user", "content": prompt}],
            "model": self._params.model,
        }
        try:
            with anyio.fail_after(self._params.timeout_s):
                url = f"{self._params.url.rstrip('/')}/chat/completions"
                async with client.stream("POST", url, json=body) as reply:
                    content = await _content(reply)
        except TimeoutError as error:
            limit = f"judge.timeout_s = {self._params.timeout_s:g}"
            raise _TryAgainError(f"no reply within {limit}") from error
        status = reply.status_code
        if status in _BUSY or status >= 500:
            raise self._busy(reply)
        if reply.has_redirect_location:
            target = self._shown(reply.headers["location"].removesuffix("/chat/completions"))
            raise ParamsError(
                f"judge {self._params.model}: HTTP status {status}. Check url: the server sends "
                f"requests on to {target}, where they are not sent, as the key would go with "
                "them. Give that address as judge.url if it is the judge's."
            )
        if status != 200:
            # The body is not shown: some servers repeat the key in it.
            raise ParamsError(
                f"judge {self._params.model}: HTTP status {status}. Check url, model, body and "
                f"the key in {self._params.api_key_env or 'api_key_env (none is set)'}."
            )
        return self._verdict(content)

    def _busy(self, reply: httpx.Response) -> _TryAgainError:
        asked_s = asked_wait_s(reply.headers)
        what = f"HTTP status {reply.status_code}"
        if asked_s > _LONGEST_ASKED_WAIT_S:
            return _TryAgainError(f"{what} and a wait of {asked_s:g} s asked for", after_s=asked_s)
        self._free_at = max(self._free_at, anyio.current_time() + asked_s)
        return _TryAgainError(what, after_s=asked_s)

    def _verdict(self, content: bytes) -> float:
        try:
            said = json.loads(content)["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
            raise _TryAgainError("replied with no chat completion") from error
        match = _NUMBER.fullmatch(said) if isinstance(said, str) else None
        low, high = self._params.scale
        if match is None or not low <= float(match[1]) <= high:
            raise _TryAgainError(
                f"replied {self._shown(said)}",
                advice=f"It must reply with a number from {low:g} to {high:g} and nothing else; "
                "say so in judge.prompt, or bind it by judge.body.",
            )
        return float(match[1])

    def _shown(self, said: Any) -> str:
        """Return the start of a reply, for a message; a key that it repeats is struck out."""
        key = os.environ.get(self._params.api_key_env or "", "")
        text = repr(said).replace(key, "***") if key else repr(said)
        return text if len(text) <= 80 else f"{text[:77]}..."


async def _content(reply: httpx.Response) -> bytes:
    """Return the body of a reply that may hold a verdict; that of another is not read."""
    content = bytearray()
    if reply.status_code != 200:
        return bytes(content)
    coding = reply.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):  # unpacked, a short reply may take the whole memory
        raise _TryAgainError(
            f"replied in the coding {coding!r:.40}",
            advice="The request asks for a reply that is not compressed; its server or a proxy "
            "before it must keep to that.",
        )
    async for chunk in reply.aiter_raw():
        content += chunk
        if len(content) > _LONGEST_REPLY_BYTES:
            raise _TryAgainError(f"replied with more than {_LONGEST_REPLY_BYTES:,} bytes")
    return bytes(content)


def _headers(name: str | None) -> dict[str, str]:
    plain = {"Accept-Encoding": "identity"}
    if name is None:
        return plain
    key = os.environ.get(name, "")
    if not key or not key.isascii() or not key.isprintable():
        raise ParamsError(
            f"judge.api_key_env: {name} holds no API key in the environment. Export it before "
            "the run; answers that are judged already need none."
        )
    return {**plain, "Authorization": f"Bearer {key}"}


def _trouble(error: httpx.RequestError) -> str:
    """Return in words what went wrong with a request before there was a reply."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return type(error).__name__
    if isinstance(error, httpx.RemoteProtocolError):
        return f"the server's reply is broken off, or is not HTTP ({words_of(error)})"
    if isinstance(error, httpx.NetworkError):  # of reading, writing and closing, often empty
        return "the connection broke off"
    return f"the request failed ({words_of(error)})"


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, _TryAgainError):
        return error.after_s <= _LONGEST_ASKED_WAIT_S
    return isinstance(error, httpx.RequestError)


def _wait_s(state: RetryCallState) -> float:
    """Return the wait before the next try, doubled each time, plus the server's own."""
    return min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** (state.attempt_number - 1))
