"""Hops: the layers of a path in order, as encodings give them, and how many a child may have."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Hop:
    """One layer of the model at a place of the pool, with the gains of its two branches.

    The stream of hidden states is multiplied by ``scale`` before it.
    """

    model: int
    layer: int
    attention_gain: float = 1.0
    mlp_gain: float = 1.0
    scale: float = 1.0

    @property
    def gains(self) -> tuple[float, float]:
        """The gains of the attention and of the MLP."""
        return self.attention_gain, self.mlp_gain


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive layers of one model, ``first`` to ``stop``, half-open; gains do not matter."""

    model: int
    first: int
    stop: int
    gains: tuple[float, float] = (1.0, 1.0)  # of its layer in the middle


def hops_of(
    model: int, first: int, stop: int, gains: tuple[float, float] = (1.0, 1.0)
) -> list[Hop]:
    """Return the layers ``first`` to ``stop`` of a model, half-open, all with the same gains."""
    return [Hop(model, layer, *gains) for layer in range(first, stop)]


def runs_of(path: Sequence[Hop]) -> list[Run]:
    """Return the runs of a path: as few as there can be."""
    starts = [0] + [
        index
        for index, (before, hop) in enumerate(pairwise(path), start=1)
        if (hop.model, hop.layer) != (before.model, before.layer + 1)
    ]
    stops = [*starts[1:], len(path)]
    return [
        Run(path[i].model, path[i].layer, path[j - 1].layer + 1, path[(i + j) // 2].gains)
        for i, j in zip(starts, stops, strict=True)
        if i < j
    ]


def lengthened(
    path: Sequence[Hop], least: int, num_last: int, num_layers: int, model: int = 0
) -> list[Hop]:
    """Return a path of at least ``least`` hops: skipped layers of its first model come back.

    The lowest come first, each before the first hop of a higher layer. ``model`` is the first
    model of a path without hops.
    """
    long = list(path)
    model = path[0].model if path else model
    for layer in range(num_layers):
        if len(long) >= least:
            break
        if any((hop.model, hop.layer) == (model, layer) for hop in long):
            continue
        tail = len(long) - num_last
        higher = (index for index, hop in enumerate(long[:tail]) if hop.layer > layer)
        long.insert(next(higher, tail), Hop(model, layer))
    return long


def without_gains(path: Sequence[Hop], first: int, stop: int) -> list[Hop]:
    """Return a path whose layers below ``first`` and from ``stop`` on have gains of 1."""
    return [
        hop if first <= hop.layer < stop else replace(hop, attention_gain=1.0, mlp_gain=1.0)
        for hop in path
    ]
