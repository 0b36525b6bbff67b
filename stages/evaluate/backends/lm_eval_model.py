"""A model by lm_eval's model string, as lm_eval's own class answers for it."""

import gc
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stages.errors import EvaluationError, GermlineError, ParamsError, at, kind_and_words
from stages.evaluate.backends.backend import Note, say_nothing
from stages.evaluate.backends.model_strings import loads_folders, model_class
from stages.evaluate.backends.weight_reloading import ENVIRONMENT, RELOADERS
from stages.evaluate.model_checks.whole_weights import WholeWeights
from stages.evaluate.quiet_lm_eval import sealed
from stages.evaluate.resident.requests import Request
from stages.params.model_params import ModelParams


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests of one task and one kind, as lm_eval's instances."""

    kind: str
    instances: tuple[Any, ...]
    items: tuple[str, ...]


class NativeLM:
    """Answers as ``lm-eval --model`` does; its model may be another one for each candidate."""

    def __init__(
        self, model_params: ModelParams, key: str, *, device: str, batch_size: int
    ) -> None:
        """Keep the parameters, which params.yaml has at ``key``; nothing is loaded yet.

        Raises:
            EvaluationError: lm_eval has no such model.
        """
        with at(key):
            self._class = _whole(model_class(model_params.model))
        self._model_params = model_params
        self._device = device
        self._batch_size = batch_size
        self._key = key
        self._lm: Any = None

    @property
    def device(self) -> torch.device:
        """The device that params name."""
        return torch.device(self._device)

    def load(self, folder: Path) -> None:
        """Use the model of ``folder`` from now on; the folder may be removed afterwards.

        An engine that can is kept and given the new weights; any other is started again.

        Raises:
            ParamsError: the model cannot be loaded. All candidates have one config and the same
                shapes, so that is a fault of the engine or its arguments, not of the candidate.
        """
        reload = RELOADERS.get(self._model_params.model)
        with sealed():
            try:
                if self._lm is not None and reload is not None:
                    reload(self._lm, folder)
                    return
                self._lm = None
                gc.collect()  # before the next takes as much memory again
                torch.cuda.empty_cache()
                self._lm = self._opened(pretrained=str(folder.absolute()))
            except Exception as error:
                self._lm = None  # half loaded is not loaded
                raise ParamsError(self._not_loaded(error)) from error

    def open(self) -> None:
        """Load the model that the parameters name, or connect to it.

        Raises:
            EvaluationError: the model cannot be loaded or reached.
        """
        with sealed():
            try:
                self._lm = self._opened()
            except Exception as error:
                raise EvaluationError(self._not_loaded(error)) from error

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> Any:
        """Return a conversation as a prompt, as the model's class does."""
        return self._lm.apply_chat_template(
            chat_history, add_generation_prompt=add_generation_prompt
        )

    def prepare(self, requests: Sequence[Request]) -> Asked:
        """Return the requests of one task and one kind as lm_eval's instances."""
        from lm_eval.api.instance import Instance

        kind = requests[0].kind
        instances = tuple(Instance(kind, {}, r.arguments, i) for i, r in enumerate(requests))
        return Asked(kind, instances, tuple(r.item for r in requests))

    def answer(self, asked: Asked, note: Note = say_nothing) -> list[Any]:
        """Return the model's answer to each request.

        Raises:
            EvaluationError: an answer is missing, or is neither a number nor a text.
        """
        try:
            answers = list(getattr(self._lm, asked.kind)(list(asked.instances)))
        except Exception as error:
            raise EvaluationError(
                f"{asked.items[0]} and the rest of its task: {self._model_params.model} cannot "
                f"answer: {kind_and_words(error)}. See {self._key}.model_args "
                "and gen_kwargs."
            ) from error
        check_answers(asked, answers)
        note(len(answers))
        return answers

    def _opened(self, **more: Any) -> Any:
        for name, value in ENVIRONMENT.get(self._model_params.model, {}).items():
            os.environ.setdefault(name, value)
        given = {**self._model_params.model_args, **more}
        if loads_folders(self._class):
            given = {"batch_size": self._batch_size, "device": self._device} | given
        return self._class.create_from_arg_obj(given)

    def _not_loaded(self, error: Exception) -> str:
        if isinstance(error, GermlineError):
            return f"{self._key}: {error}"
        return (
            f"{self._key}: {self._model_params.model} cannot be loaded: "
            f"{kind_and_words(error)}. See {self._key}.model_args."
        )


def _whole(kind: Any) -> Any:
    """Return lm_eval's class, that of transformers as one that refuses folders without weights."""
    from lm_eval.models.huggingface import HFLM

    return type(kind.__name__, (WholeWeights, kind), {}) if issubclass(kind, HFLM) else kind


def check_answers(asked: Asked, answers: Sequence[Any]) -> None:
    """Check that there is one usable answer for each request; an empty text is one.

    Raises:
        EvaluationError: an answer is missing, not a text, or NaN; the message names its item.
    """
    if len(answers) != len(asked.items):
        raise EvaluationError(
            f"{asked.items[0]} and the rest of its task: {len(answers)} answers to "
            f"{len(asked.items)} requests. This candidate has no score."
        )
    for item, answer in zip(asked.items, answers, strict=True):
        if asked.kind == "generate_until":
            if not isinstance(answer, str):
                raise EvaluationError(
                    f"{item}: the model gives no text, but {answer!r}. There is no score."
                )
            continue
        value = answer[0] if isinstance(answer, list | tuple) else answer
        if not isinstance(value, int | float) or math.isnan(value):
            raise EvaluationError(
                f"{item}: the model's log-likelihood is {value!r}. The weights are not usable; "
                "there is no score."
            )
