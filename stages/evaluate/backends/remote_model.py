"""A model behind a server, asked through lm_eval's own client; each answer is kept at once."""

import contextlib
import gc
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from stages.errors import EvaluationError, GermlineError, ParamsError, ServiceError
from stages.evaluate.backends.backend import Note, say_nothing
from stages.evaluate.backends.kept_answers import KeptAnswers, is_sampled
from stages.evaluate.backends.lm_eval_model import Asked, NativeLM, check_answers
from stages.evaluate.backends.model_strings import identity
from stages.params.model_params import ModelParams

_BUSY = (408, 409, 425, 429)  # and any 5xx: the same request may succeed later
_OPENAI = "OPENAI_API_KEY"


class ServerLM(NativeLM):
    """Answers as the server does; a failure loses no answer that came before it."""

    def __init__(
        self, model_params: ModelParams, key: str, *, device: str, batch_size: int
    ) -> None:
        """Keep the parameters; the server is not asked yet.

        Raises:
            EvaluationError: lm_eval has no such model.
            ParamsError: the API key is not in the environment.
        """
        super().__init__(model_params, key, device=device, batch_size=batch_size)
        self._kept = KeptAnswers(identity(model_params))
        self._headers = self._authorised()

    def answer(self, asked: Asked, note: Note = say_nothing) -> list[Any]:
        """Return the server's answer to each request, asking for those that are not kept.

        Raises:
            ServiceError: the server cannot be reached, is busy, too slow, or replies with no
                completion.
            ParamsError: the server refuses the request.
            EvaluationError: an answer is neither a number nor a text.
        """
        known = [self._known(asked.kind, instance.args) for instance in asked.instances]
        missing = [i for i, answer in enumerate(known) if answer is None]
        if missing:
            rest = replace(
                asked,
                instances=tuple(asked.instances[p] for p in missing),
                items=tuple(asked.items[p] for p in missing),
            )
            for i, answer in zip(missing, self._asked(rest), strict=True):
                known[i] = answer
        check_answers(asked, known)
        note(len(known))
        return known

    def _known(self, kind: str, arguments: tuple[Any, ...]) -> Any:
        return None if is_sampled(arguments) else self._kept.find(kind, arguments)

    def _asked(self, asked: Asked) -> list[Any]:
        with _hushed():
            try:
                answers = list(getattr(self._lm, asked.kind)(list(asked.instances)))
            except GermlineError as error:
                fault: GermlineError = error
            except Exception as error:  # noqa: BLE001  requests' or aiohttp's, or a bad reply's
                fault = self._fault(error)
            else:
                check_answers(asked, answers)
                return answers
            gc.collect()  # requests in parallel that were given up complain as they go
        raise fault  # not from the client's error: its frames hold the key

    def _opened(self, **more: Any) -> Any:
        given = {"header": self._headers} if self._headers is not None else {}
        opened = super()._opened(**given, **more)
        opened.cache_hook = self._kept
        self._read_strictly(opened)
        return opened

    def _read_strictly(self, opened: Any) -> None:
        """Refuse replies that hold no completion; lm_eval reads some as an empty text."""
        read = opened.parse_generations

        def strictly(outputs: Any, **more: Any) -> Any:
            for output in outputs if isinstance(outputs, list) else [outputs]:
                if not _is_completion(output):
                    raise self._no_service("it replied with no completion")
            return read(outputs=outputs, **more)

        opened.parse_generations = strictly

    def _authorised(self) -> dict[str, str] | None:
        """Return the header with the API key; None where lm_eval's class makes its own."""
        from lm_eval.models.api_models import TemplateAPI

        name = self._model_params.api_key_env
        if self._class.header is not TemplateAPI.header:
            if name is not None:
                raise ParamsError(
                    f"{self._key}.api_key_env: {self._model_params.model} reads its own "
                    "variable, see lm_eval. Remove api_key_env and export that."
                )
            return None
        if name is None and not self._model_params.model.startswith("openai-"):
            return {"Accept": "application/json"}  # lm_eval would send $OPENAI_API_KEY anywhere
        key = os.environ.get(name or _OPENAI, "")
        if not key or not key.isascii() or not key.isprintable():
            raise ParamsError(
                f"{self._key}.api_key_env: {name or _OPENAI} holds no API key in the "
                "environment. Export it before the run; a model that was scored needs none."
            )
        return {"Authorization": f"Bearer {key}"}

    def _fault(self, error: Exception) -> GermlineError:
        """Return the error for a failed request, without the key that the server may repeat."""
        status = _status(error)
        if status is None and not isinstance(error, _transient()):
            return EvaluationError(
                f"{self._key}: {self._model_params.model} cannot ask: {type(error).__name__}: "
                f"{self._clean(str(error))} See {self._key}.model_args."
            )
        if status is not None and 400 <= status < 500 and status not in _BUSY:
            return ParamsError(
                f"{self._key}: HTTP status {status}. Check base_url, model, gen_kwargs and the "
                f"key in {self._model_params.api_key_env or 'api_key_env (none is set)'}."
            )
        what = f"HTTP status {status}" if status else type(error).__name__
        return self._no_service(what)

    def _no_service(self, what: str) -> ServiceError:
        patience = self._model_params.model_args.get("timeout", 300)
        tries = self._model_params.model_args.get("max_retries", 3)
        return ServiceError(
            f"{self._key}: {what}; asked model_args.max_retries = {tries} times, with "
            f"model_args.timeout = {patience} s. Check that it runs, then run the same command "
            "again: its answers are kept."
        )

    def _clean(self, text: str) -> str:
        key = (self._headers or {}).get("Authorization", "").removeprefix("Bearer ")
        return text.replace(key, "***") if key else text


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    logger = logging.getLogger("asyncio")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _transient() -> tuple[type[Exception], ...]:
    """Return the errors of a server that is away, slow or garbled; requests' own are OSErrors."""
    from aiohttp import ClientError

    return (ClientError, OSError, TimeoutError, ValueError, KeyError)


def _status(error: Exception) -> int | None:
    """Return the HTTP status behind an error of requests or aiohttp."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None) or getattr(error, "status", None)
    return status if isinstance(status, int) else None


def _is_completion(output: Any) -> bool:
    """Tell whether a reply has choices, each with a text or a message; its content may be null."""
    choices = output.get("choices") if isinstance(output, Mapping) else None
    if not isinstance(choices, list) or not choices:
        return False
    return all(
        isinstance(choice, Mapping)
        and "index" in choice
        and ("text" in choice or "content" in (choice.get("message") or {}))
        for choice in choices
    )
