"""Requests to the model as plain data, and the batches they are run in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from torch import Tensor

from stages.errors import EvaluationError
from stages.evaluate.resident.token_batches import TokenBatch


@dataclass(frozen=True, slots=True)
class Request:
    """One question to the model; ``item`` names the item it is for in messages."""

    kind: str  # loglikelihood, loglikelihood_rolling or generate_until
    arguments: tuple[Any, ...]
    item: str


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Prompts of one batch, padded on the left, with the arguments of their generation."""

    requests: tuple[int, ...]
    items: tuple[str, ...]
    prompts: Tensor  # batch x length
    mask: Tensor
    stops: tuple[str, ...]
    max_length: int
    kwargs: dict[str, Any]

    def split(self) -> tuple[Self, Self]:
        """Return the first and the second half of the rows; there must be two or more.

        Raises:
            EvaluationError: the texts are sampled, and the numbers drawn are those of the batch.
        """
        if self.kwargs.get("do_sample"):
            raise EvaluationError(
                f"{self.items[0]}: its batch of {len(self.items)} does not fit the memory, and "
                "what is sampled depends on the batch. Lower evaluate.batch_size."
            ) from MemoryError("on this machine")  # so that no candidate is blamed for it
        half = len(self.items) // 2
        return self._part(slice(half)), self._part(slice(half, None))

    def _part(self, rows: slice) -> Self:
        return replace(
            self,
            requests=self.requests[rows],
            items=self.items[rows],
            prompts=self.prompts[rows],
            mask=self.mask[rows],
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """Requests of one task and one kind, ready to run."""

    kind: str
    num_requests: int
    tokens: tuple[TokenBatch, ...] = ()
    windows: tuple[int, ...] = ()  # per rolling request: how many windows its text was cut into
    texts: tuple[TextBatch, ...] = ()


def prompt_batches(
    requests: Sequence[Request], lengths: Sequence[int], num_rows: int, num_tokens: int
) -> list[list[int]]:
    """Return the places of the requests in batches: one set of arguments, the longest first.

    A batch has ``num_rows`` prompts at most, and ``num_tokens`` tokens with padding, unless a
    single prompt has more.
    """
    groups: dict[str, list[int]] = {}
    for place, request in enumerate(requests):
        wanted = json.dumps(request.arguments[1], sort_keys=True, default=str)
        groups.setdefault(wanted, []).append(place)
    batches = []
    for places in groups.values():
        queue = sorted(places, key=lambda p: (-lengths[p], requests[p].arguments[0]))
        while queue:
            size = max(1, min(num_rows, num_tokens // max(1, lengths[queue[0]])))
            batches.append(queue[:size])
            queue = queue[size:]
    return batches


def sum_windows(windows: Sequence[int], values: Sequence[float]) -> list[float]:
    """Return per text the sum of its windows' log-likelihoods."""
    sums: list[float] = []
    start = 0
    for count in windows:
        sums.append(sum(values[start : start + count]))
        start += count
    return sums
