"""Batches of token sequences whose continuations are scored, and the scores by their logits."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, pad

from stages.errors import EvaluationError
from stages.evaluate.resident.prefix_trees import TokenRow, any_length

_MOST_PADDING = 1 / 8  # of a batch's width
_SMALL_BATCH = 512  # tokens: fewer do not keep a processor busy, so their padding costs nothing


@dataclass(frozen=True, slots=True)
class Encoded:
    """A tokenised request: how likely is ``target`` after ``context``?"""

    request: int
    context: list[int]
    target: list[int]
    item: str

    @property
    def inputs(self) -> list[int]:
        """What the model reads: context and target, but for the last token."""
        return [*self.context, *self.target[:-1]]

    def cut(self, length: int) -> Self:
        """Return the request with its context cut from the left so that ``length`` tokens stay."""
        surplus = len(self.context) + len(self.target) - length
        return replace(self, context=self.context[surplus:]) if surplus > 0 else self


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a request's target is scored: its row, and the number of its target's tokens."""

    request: int
    item: str
    row: int
    num_tokens: int


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Padded rows of tokens, and the places in them whose logits score the targets.

    ``depths`` and ``ends`` are None where every row is a single chain: its tokens attend to all
    before them, as in any causal model. Otherwise they are those of ``TokenRow``.
    """

    items: tuple[str, ...]  # of each row's first request
    inputs: Tensor  # batch x length
    read: Tensor  # batch x length: whether the logits of this place are read
    sources: Tensor  # of each target token: which of the places read, in row-major order
    targets: Tensor
    readings: tuple[Reading, ...]
    depths: Tensor | None = None  # batch x length
    ends: Tensor | None = None  # batch x length

    def mask(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return the mask to add to attention scores, batch x 1 x length x length.

        It is 0 where a token attends to an ancestor or itself, the least number elsewhere.

        Raises:
            ValueError: the rows are chains, which need none.
        """
        if self.ends is None:
            raise ValueError("mask: every row of the batch is a chain, which needs no mask.")
        index = torch.arange(self.inputs.shape[1], device=device)
        descends = (index <= index[:, None]) & (index[:, None] < self.ends.to(device)[:, None, :])
        least = torch.finfo(dtype).min
        return torch.zeros_like(descends, dtype=dtype).masked_fill_(~descends, least)[:, None]

    def split(self) -> tuple[Self, Self]:
        """Return the first and the second half of the rows; there must be two or more."""
        half = len(self.inputs) // 2
        return self._part(0, half), self._part(half, len(self.inputs))

    def _part(self, start: int, stop: int) -> Self:
        before, within = int(self.read[:start].sum()), int(self.read[start:stop].sum())
        is_held = (before <= self.sources) & (self.sources < before + within)
        readings = (replace(r, row=r.row - start) for r in self.readings if start <= r.row < stop)
        return replace(
            self,
            items=self.items[start:stop],
            inputs=self.inputs[start:stop],
            read=self.read[start:stop],
            sources=self.sources[is_held] - before,
            targets=self.targets[is_held],
            readings=tuple(readings),
            depths=None if self.depths is None else self.depths[start:stop],
            ends=None if self.ends is None else self.ends[start:stop],
        )

    def score(
        self, logits: Tensor, dtype: torch.dtype | None
    ) -> Iterator[tuple[int, tuple[float, bool]]]:
        """Yield each request's (sum of log-probabilities, whether its target is the greedy one).

        ``logits`` are those of the places that are read, places x vocabulary.

        Raises:
            EvaluationError: a log-probability is NaN.
        """
        chances = log_softmax(logits, dim=-1, dtype=dtype)
        sources, targets = self.sources.to(chances.device), self.targets.to(chances.device)
        greedy = (chances.argmax(dim=-1)[sources] == targets).cpu()
        values = chances[sources, targets].cpu()
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


def batches_of(
    rows: Sequence[TokenRow[Encoded]],
    *,
    num_rows: int,
    num_tokens: int,
    group: Callable[[int], int] = any_length,
) -> list[TokenBatch]:
    """Return the rows in batches, the widest first.

    A batch has ``num_rows`` rows at most, and ``num_tokens`` tokens with padding, unless a single
    row has more. A place whose logits are read counts as four: they are as wide as the
    vocabulary. An eighth of a row is padding at most, unless the batch is small. The longest
    requests of its rows are of one ``group``.
    """
    queues: dict[int, list[TokenRow[Encoded]]] = {}
    for row in sorted(rows, key=lambda row: (-len(row.tokens), row.tokens)):
        queues.setdefault(group(row.longest), []).append(row)
    batches = [b for queue in queues.values() for b in _divided(queue, num_rows, num_tokens)]
    return [_batch(b) for b in sorted(batches, key=lambda batch: -len(batch[0].tokens))]


def _divided(
    queue: Sequence[TokenRow[Encoded]], num_rows: int, num_tokens: int
) -> list[list[TokenRow[Encoded]]]:
    batches: list[list[TokenRow[Encoded]]] = []
    left = 0
    for row in queue:
        num_read = len({token for _, places in row.paths for token in places})
        width = len(batches[-1][0].tokens) if batches else 0
        cost = width + 3 * num_read
        may_pad = bool(batches) and (
            len(row.tokens) >= (1 - _MOST_PADDING) * width
            or width * (len(batches[-1]) + 1) <= _SMALL_BATCH
        )
        if may_pad and len(batches[-1]) < num_rows and cost <= left:
            batches[-1].append(row)
            left -= cost
        else:
            batches.append([row])
            left = num_tokens - len(row.tokens) - 3 * num_read
    return batches


def _batch(rows: Sequence[TokenRow[Encoded]]) -> TokenBatch:
    width = max(len(row.tokens) for row in rows)
    read = torch.zeros(len(rows), width, dtype=torch.bool)
    places: list[int] = []
    targets: list[int] = []
    readings: list[Reading] = []
    for i, row in enumerate(rows):
        for request, scored in row.paths:
            read[i, list(scored)] = True
            places += [i * width + token for token in scored]
            targets += request.target
            readings.append(Reading(request.request, request.item, i, len(request.target)))
    order = read.flatten().cumsum(0) - 1
    are_chains = all(row.is_chain for row in rows)
    ends = torch.arange(1, width + 1).repeat(len(rows), 1)  # padding sees nothing but itself
    for i, row in enumerate(rows):
        ends[i, : len(row.ends)] = torch.tensor(row.ends)
    return TokenBatch(
        items=tuple(row.paths[0][0].item for row in rows),
        inputs=_padded([row.tokens for row in rows], width),
        read=read,
        sources=order[torch.tensor(places)],
        targets=torch.tensor(targets),
        readings=tuple(readings),
        depths=None if are_chains else _padded([row.depths for row in rows], width),
        ends=None if are_chains else ends,
    )


def _padded(rows: Sequence[Sequence[int]], width: int) -> Tensor:
    return torch.stack([pad(torch.tensor(row), (0, width - len(row))) for row in rows])
