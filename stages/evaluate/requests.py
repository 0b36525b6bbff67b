"""Requests to the model as plain data, and the batches they are run in."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from stages.evaluate.loglikelihood import TokenBatch


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


@dataclass(frozen=True, slots=True)
class Prepared:
    """Requests of one task and one kind, ready to run."""

    kind: str
    num_requests: int
    tokens: tuple[TokenBatch, ...] = ()
    windows: tuple[int, ...] = ()  # per rolling request: how many windows its text was cut into
    texts: tuple[TextBatch, ...] = ()


def prompt_batches(
    requests: Sequence[Request], lengths: Sequence[int], size: int
) -> list[list[int]]:
    """Return the places of the requests in HFLM's batches: one set of arguments, longest first."""
    groups: dict[str, list[int]] = {}
    for place, request in enumerate(requests):
        wanted = json.dumps(request.arguments[1], sort_keys=True, default=str)
        groups.setdefault(wanted, []).append(place)
    batches = []
    for places in groups.values():
        queue = sorted(places, key=lambda p: (-lengths[p], requests[p].arguments[0]))
        batches += [queue[i : i + size] for i in range(0, len(queue), size)]
    return batches


def sum_windows(windows: Sequence[int], values: Sequence[float]) -> list[float]:
    """Return per text the sum of its windows' log-likelihoods."""
    sums: list[float] = []
    start = 0
    for count in windows:
        sums.append(sum(values[start : start + count]))
        start += count
    return sums
