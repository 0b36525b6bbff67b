"""Batches of token sequences whose continuations are scored, and how to read the logits off."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, pad

from stages.errors import EvaluationError


@dataclass(frozen=True, slots=True)
class Encoded:
    """A tokenised request: how likely is ``target`` after ``context``?"""

    request: int
    context: list[int]
    target: list[int]
    item: str

    @property
    def tokens(self) -> tuple[int, ...]:
        """Context and target."""
        return (*self.context, *self.target)

    def cut(self, length: int) -> Self:
        """Return the request with its context cut from the left so that ``length`` tokens stay."""
        surplus = len(self.context) + len(self.target) - length
        return replace(self, context=self.context[surplus:]) if surplus > 0 else self


@dataclass(frozen=True, slots=True)
class Reading:
    """Where one request's target is scored: its row, the first position, its tokens."""

    request: int
    item: str
    num_tokens: int


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Padded inputs, and the flat (row, position, token) of every target token to be scored."""

    inputs: Tensor  # batch x length
    rows: Tensor
    positions: Tensor
    targets: Tensor
    readings: tuple[Reading, ...]

    def score(
        self, logits: Tensor, dtype: torch.dtype | None
    ) -> Iterator[tuple[int, tuple[float, bool]]]:
        """Yield each request's (sum of log-probabilities, whether its target is the greedy one).

        Raises:
            EvaluationError: a log-probability is NaN.
        """
        chosen = log_softmax(logits[self.rows, self.positions], dim=-1, dtype=dtype)
        targets = self.targets.to(chosen.device)
        greedy = (chosen.argmax(dim=-1) == targets).cpu()
        values = chosen.gather(1, targets.unsqueeze(1)).squeeze(1).cpu()
        start = 0
        for reading in self.readings:
            span = slice(start, start + reading.num_tokens)
            start = span.stop
            total = float(values[span].sum())
            if total != total:  # noqa: PLR0124  NaN is the only number unequal to itself
                raise EvaluationError(
                    f"{reading.item}: the log-likelihood is NaN. The merged weights are not "
                    "usable; this candidate has no score."
                )
            yield reading.request, (total, bool(greedy[span].all()))


def batches_of(requests: Sequence[Encoded], size: int, *, share: bool) -> list[TokenBatch]:
    """Return the requests in HFLM's batches: longest first, ties by tokens.

    With ``share``, requests that differ in their last token only are one row.
    """
    groups: dict[object, list[Encoded]] = {}
    for place, request in enumerate(requests):
        groups.setdefault(request.tokens[:-1] if share else place, []).append(request)
    rows = sorted(groups.values(), key=_longest_first)
    return [_batch(rows[i : i + size]) for i in range(0, len(rows), size)]


def _longest_first(group: Sequence[Encoded]) -> tuple[int, tuple[int, ...]]:
    tokens = max(group, key=lambda request: len(request.target)).tokens
    return -len(tokens), tokens


def _batch(groups: Sequence[Sequence[Encoded]]) -> TokenBatch:
    inputs = [torch.tensor(group[0].tokens[:-1]) for group in groups]
    width = max(len(row) for row in inputs)
    rows: list[int] = []
    positions: list[int] = []
    targets: list[int] = []
    readings: list[Reading] = []
    for row, group in enumerate(groups):
        for request in group:
            end, num = len(inputs[row]), len(request.target)
            rows += [row] * num
            positions += range(end - num, end)
            targets += request.target
            readings.append(Reading(request.request, request.item, num))
    return TokenBatch(
        inputs=torch.stack([pad(row, (0, width - len(row))) for row in inputs]),
        rows=torch.tensor(rows),
        positions=torch.tensor(positions),
        targets=torch.tensor(targets),
        readings=tuple(readings),
    )
