"""A language model as judge, behind an OpenAI-compatible address (POST <url>/chat/completions).

It is shown ``judge.prompt`` with the item and the answer filled in, and must reply with a number
on ``judge.scale`` and nothing else. The score is that number's place on the scale, from 0 to 1.
"""

import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
from jinja2 import Environment, StrictUndefined, TemplateError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from stages.errors import EvaluationError, ParamsError, ServiceError
from stages.evaluate.measures import answer_files
from stages.hashing import content_hash
from stages.params.task_params import JudgeParams

_NUMBER = re.compile(r"\s*([-+]?\d+(?:\.\d+)?)\s*")
_BUSY = (408, 409, 425, 429)  # and any 5xx: the same request may succeed later
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Case:
    """One answer to be graded; ``where`` names its task and item in messages."""

    item: Mapping[str, Any]
    answer: str
    where: str


class _TryAgainError(Exception):
    """A reply that is no verdict, though another try may give one."""

    def __init__(self, message: str, *, is_malformed: bool = False, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.is_malformed = is_malformed
        self.after_s = after_s


class Judge:
    """Grades answers; equal ones are asked once in the life of the project (``verdicts.py``)."""

    def __init__(self, params: JudgeParams, where: str) -> None:
        """Take ``params``; nothing is asked yet.

        Raises:
            EvaluationError: the prompt is not a template.
        """
        self._params = params
        environment = Environment(  # noqa: S701  the prompt is text for a model, not HTML
            undefined=StrictUndefined, keep_trailing_newline=True
        )
        try:
            self._prompt = environment.from_string(params.prompt)
        except TemplateError as error:
            raise EvaluationError(f"{where}: judge.prompt: {error}. Mend the template.") from error

    @property
    def identity(self) -> dict[str, Any]:
        """What decides a verdict: the model's name, the prompt, the scale and the request's body.

        Not the address: the same model may be served elsewhere.
        """
        wanted = {"model", "prompt", "scale", "body"}
        return self._params.model_dump(mode="json", include=wanted)

    def grade(self, cases: Sequence[Case]) -> list[float]:
        """Return each case's score, from 0 to 1.

        Verdicts are kept as they come, so that a failure or a kill loses none of them.

        Raises:
            ServiceError: the judge cannot be reached, is busy or too slow, also when tried again.
            EvaluationError: it does not reply with a number on the scale.
            ParamsError: it refuses the request, the API key is not in the environment, or the
                prompt cannot be filled in.
        """
        prompts = [self._shown(case) for case in cases]
        keys = [content_hash(["judge", self.identity, prompt]) for prompt in prompts]
        known = {key: answer_files.find(key) for key in keys}
        missing = {k: place for place, k in reversed(list(enumerate(keys))) if known[k] is None}
        if missing:
            places = sorted(missing.values())
            asked = self._ask_all([(cases[p], prompts[p], keys[p]) for p in places])
            known |= dict(zip((keys[p] for p in places), asked, strict=True))
        low, high = self._params.scale
        return [(known[key] - low) / (high - low) for key in keys]  # type: ignore[operator]

    def _shown(self, case: Case) -> str:
        try:
            return self._prompt.render({**case.item, "response": case.answer})
        except Exception as error:
            raise ParamsError(  # the same for every candidate: the run ends
                f"{case.where}: judge.prompt: {str(error).rstrip('.')}. It may name response and "
                f"the item's columns: {', '.join(case.item)}."
            ) from error

    def _ask_all(self, asked: Sequence[tuple[Case, str, str]]) -> list[float]:
        headers = self._headers()
        with (
            httpx.Client(timeout=self._params.timeout_s, headers=headers) as client,
            ThreadPoolExecutor(self._params.parallel) as threads,
        ):
            futures = [
                threads.submit(self._ask, client, case, prompt, key) for case, prompt, key in asked
            ]
            try:
                return [future.result() for future in futures]
            except Exception:
                threads.shutdown(cancel_futures=True)
                raise

    def _headers(self) -> dict[str, str]:
        name = self._params.api_key_env
        if name is None:
            return {}
        key = os.environ.get(name, "")
        if not key or not key.isascii() or not key.isprintable():
            raise ParamsError(
                f"judge.api_key_env: {name} holds no API key in the environment. Export it before "
                "the run; answers that are judged already need none."
            )
        return {"Authorization": f"Bearer {key}"}

    def _ask(self, client: httpx.Client, case: Case, prompt: str, key: str) -> float:
        tries = Retrying(
            stop=stop_after_attempt(self._params.retries + 1),
            retry=retry_if_exception_type((_TryAgainError, httpx.TransportError)),
            wait=_wait_s,
            reraise=True,
        )
        name = f"judge {self._params.model}"
        try:
            verdict: float = tries(self._ask_once, client, prompt)
        except httpx.TransportError as error:
            what = type(error).__name__
            if isinstance(error, httpx.TimeoutException):
                what = f"no reply within judge.timeout_s = {self._params.timeout_s:g}"
            raise self._no_service(case, what) from error
        except _TryAgainError as error:
            if not error.is_malformed:
                raise self._no_service(case, str(error)) from error
            low, high = self._params.scale
            raise EvaluationError(
                f"{case.where}: {name} {error}. It must reply with a number from {low:g} to "
                f"{high:g} and nothing else; say so in judge.prompt, or bind it by judge.body."
            ) from error

        return answer_files.keep(key, verdict)

    def _no_service(self, case: Case, what: str) -> ServiceError:
        return ServiceError(
            f"{case.where}: judge {self._params.model}: {what}, tried "
            f"{self._params.retries + 1} times. Verdicts so far are kept. See that it runs; with "
            "another judge.timeout_s or judge.retries the candidate is tried again."
        )

    def _ask_once(self, client: httpx.Client, prompt: str) -> float:
        body = {
            **self._params.body,
            "messages": [{"role": "user", "content": prompt}],
            "model": self._params.model,
        }
        reply = client.post(f"{self._params.url.rstrip('/')}/chat/completions", json=body)
        status = reply.status_code
        if status in _BUSY or status >= 500:
            raise _TryAgainError(f"HTTP status {status}", after_s=_asked_wait_s(reply))
        if status != 200:
            # The body is not shown: some servers repeat the key in it.
            raise ParamsError(
                f"judge {self._params.model}: HTTP status {status}. Check url, model, body and "
                f"the key in {self._params.api_key_env or 'api_key_env (none is set)'}."
            )
        return self._verdict(reply)

    def _shown_reply(self, said: Any) -> str:
        """Return the start of a reply, for a message; a key that it repeats is struck out."""
        key = os.environ.get(self._params.api_key_env or "", "")
        text = repr(said).replace(key, "***") if key else repr(said)
        return text if len(text) <= 80 else f"{text[:77]}..."

    def _verdict(self, reply: httpx.Response) -> float:
        try:
            said = reply.json()["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise _TryAgainError("replied with no chat completion") from error
        match = _NUMBER.fullmatch(said) if isinstance(said, str) else None
        low, high = self._params.scale
        if match is None or not low <= float(match[1]) <= high:
            raise _TryAgainError(f"replied {self._shown_reply(said)}", is_malformed=True)
        return float(match[1])


def _asked_wait_s(reply: httpx.Response) -> float:
    """Return how long the server asks to wait; 0 where it does not say, or says a date."""
    wanted = reply.headers.get("retry-after", "")
    return float(wanted) if re.fullmatch(r"\d{1,6}(\.\d+)?", wanted) else 0.0


def _wait_s(state: RetryCallState) -> float:
    """Return the wait before the next try: doubled each time, or longer if the server asks."""
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.after_s if isinstance(error, _TryAgainError) else 0.0
    return min(_LONGEST_WAIT_S, max(asked_s, _FIRST_WAIT_S * 2.0 ** (state.attempt_number - 1)))
