"""Requests to the model as plain data, and the batches that run them."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from torch import Tensor

from stages.evaluate.resident.token_batches import TokenBatch
from stages.seeds import key


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
    seeds: tuple[int, ...]  # of each row, where texts are sampled

    def split(self) -> tuple[Self, Self]:
        """Return the first and the second half of the rows; there must be two or more."""
        half = len(self.items) // 2
        return self.part(slice(half)), self.part(slice(half, None))

    def part(self, rows: slice) -> Self:
        """Return the batch of these rows."""
        return replace(
            self,
            requests=self.requests[rows],
            items=self.items[rows],
            prompts=self.prompts[rows],
            mask=self.mask[rows],
            seeds=self.seeds[rows],
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
    requests: Sequence[Request],
    lengths: Sequence[int],
    groups: Sequence[Hashable],
    num_rows: int,
    num_tokens: int,
) -> list[list[int]]:
    """Return batches of the requests' indices, each of one group, the longest first.

    A batch has ``num_rows`` prompts at most, and ``num_tokens`` tokens with padding, unless a
    single prompt has more.
    """
    by_group: dict[Hashable, list[int]] = {}
    for i, group in enumerate(groups):
        by_group.setdefault(group, []).append(i)
    batches = []
    for places in by_group.values():
        queue = sorted(places, key=lambda p: (-lengths[p], requests[p].arguments[0]))
        while queue:
            size = max(1, min(num_rows, num_tokens // max(1, lengths[queue[0]])))
            batches.append(queue[:size])
            queue = queue[size:]
    return batches


def seeds_of(requests: Sequence[Request]) -> list[int]:
    """Return the seed of each request's sampled text, by its prompt and its repeat number.

    An item's texts depend on its prompt alone, whatever else is asked.
    """
    numbers: Counter[tuple[str, str]] = Counter()
    seeds = []
    for request in requests:
        prompt = str(request.arguments[0])
        number = numbers[request.item, prompt]
        numbers[request.item, prompt] += 1
        seeds.append(key("sampled text", prompt, number) >> 65)  # torch takes 63 bits
    return seeds


def sum_windows(windows: Sequence[int], values: Sequence[float]) -> list[float]:
    """Return per text the sum of its windows' log-likelihoods."""
    sums: list[float] = []
    start = 0
    for count in windows:
        sums.append(sum(values[start : start + count]))
        start += count
    return sums
