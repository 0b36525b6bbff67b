"""The protocol of everything that answers the evaluator's requests."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch

from stages.evaluate.resident.requests import Request

Note = Callable[[float], None]  # takes how many more requests are answered


def say_nothing(num_requests: float) -> None:
    """Take note of answered requests, where nobody watches."""
    del num_requests


class Backend(Protocol):
    """Answers requests, with any model, in any place.

    ``prepare`` does the work that does not depend on the weights, once; ``answer`` is called for
    every candidate.
    """

    @property
    def device(self) -> torch.device:
        """Where torch draws random numbers for it; the CPU where torch draws none."""

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> Any:
        """Return a conversation as the prompt that ``prepare`` takes."""

    def prepare(self, requests: Sequence[Request]) -> Any:
        """Return the requests of one task and one kind in the form that ``answer`` takes."""

    def answer(self, prepared: Any, note: Note = say_nothing) -> list[Any]:
        """Return the answer to each request: (log-likelihood, is greedy), a sum, or a text.

        ``note`` hears of answers as they come in.
        """
