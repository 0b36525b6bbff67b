"""Rows of tokens that hold a shared prefix once, however many requests begin with it.

A row is a tree of tokens in depth-first order, and the model reads a request as a path from the
root. A token's position is its depth, and it attends to its ancestors alone: token i
descends from token j if and only if j <= i < end of j, the place after j's last descendant. So
the logits along a path are those of the request in a row of its own, up to rounding, and the
choices of an item share the computation of their context, as do items that begin alike.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

ROW_TOKENS = 256  # up to this length the cost of attention hardly grows with the row
_LEAST_SHARED = 1 / 4  # share of a request's tokens that a row must hold for it to join


class Readable(Protocol):
    """A request as the model reads it."""

    @property
    def context(self) -> list[int]:
        """The tokens before the target: the logits of the last of them score its first token."""

    @property
    def inputs(self) -> list[int]:
        """The tokens that the model reads."""


R = TypeVar("R", bound=Readable)


@dataclass(slots=True)
class TokenRow(Generic[R]):
    """A tree that grows: requests are added in the lexicographic order of their inputs."""

    tokens: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)  # of each token: the place after its subtree
    paths: list[tuple[R, tuple[int, ...]]] = field(default_factory=list)  # and where it is scored
    longest: int = 0  # the most tokens that are read for one request
    _path: list[int] = field(default_factory=list)  # the places of the last request's inputs
    _last: list[int] = field(default_factory=list)  # those inputs

    @property
    def is_chain(self) -> bool:
        """Whether every token descends from all before it."""
        return len(self._path) == len(self.tokens)

    def shared(self, inputs: Sequence[int]) -> int:
        """Return how many of ``inputs`` the row holds already."""
        pairs = enumerate(zip(self._last, inputs, strict=False))
        least = min(len(self._last), len(inputs))
        return next((i for i, (old, new) in pairs if old != new), least)

    def add(self, request: R, num_shared: int) -> None:
        """Add a request, the first ``num_shared`` of whose inputs the row holds already."""
        inputs = request.inputs
        self.longest = max(self.longest, len(inputs))
        del self._path[num_shared:]
        for depth in range(num_shared, len(inputs)):
            self._path.append(len(self.tokens))
            self.tokens.append(inputs[depth])
            self.depths.append(depth)
            self.ends.append(0)
        for i in self._path:
            self.ends[i] = len(self.tokens)
        self._last = inputs
        self.paths.append((request, tuple(self._path[len(request.context) - 1 :])))


def any_length(length: int) -> int:  # noqa: ARG001  the form of every rule
    """Return the same group for every length, where lengths do not matter."""
    return 0


def rows_of(
    requests: Iterable[R], *, reach: int | None, group: Callable[[int], int] = any_length
) -> list[TokenRow[R]]:
    """Return rows that hold every request, with few repeated tokens.

    ``reach`` is the largest number of tokens of a path in a tree. A longer request joins a row
    only as its continuation or its copy, which any causal model can read; None keeps all apart.
    Requests whose lengths are of two groups never share a row.
    """
    rows: list[TokenRow[R]] = []
    for request in sorted(requests, key=lambda r: (r.inputs, len(r.context))):
        num_shared = rows[-1].shared(request.inputs) if rows else 0
        if (
            not rows
            or group(rows[-1].longest) != group(len(request.inputs))
            or not _may_join(rows[-1], request.inputs, num_shared, reach)
        ):
            rows.append(TokenRow())
            num_shared = 0
        rows[-1].add(request, num_shared)
    return rows


def _may_join(row: TokenRow[R], inputs: Sequence[int], num_shared: int, reach: int | None) -> bool:
    if reach is None:
        return False
    if row.is_chain and num_shared == len(row.tokens):
        return True
    longest = max(len(inputs), row.longest)
    width = len(row.tokens) + len(inputs) - num_shared
    return (
        longest <= reach
        and num_shared >= _LEAST_SHARED * len(inputs)
        and width <= max(ROW_TOKENS, 2 * longest)
    )
