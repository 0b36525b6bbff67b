"""Where each row of the child's vocabulary comes from, in every model: index arrays, no weights.

A model gives its own row for a token that it has. For one that it lacks it takes a row from the
pool: the row of the only model that has the token; else that of the base; else the average of all
that have it. So a task vector of such a token is what a model differs by from that row: 0 for a
model that lacks the token, and for a token that one model alone has, the child gets its row. A
row that no model has, or that only fills up to a multiple, is the mean of the model's own tokens
(Hewitt 2021, "Initializing New Word Embeddings for Pretrained Language Models").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Holding:
    """What one model has: the ids of its tokens, and how many rows its matrices have."""

    ids: Mapping[str, int]
    num_rows: int


@dataclass(frozen=True, slots=True)
class Given:
    """A row whose origin the rule names: a model's row, or zeros where ``model`` is None."""

    model: int | None
    row: int
    force: bool


@dataclass(frozen=True, slots=True, eq=False)
class Donation:
    """Rows ``ids`` of the matrix of ``model`` go to ``places`` of the pool."""

    model: int
    places: Ids
    ids: Ids


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Rows that models lack: copied, averaged over ``counts`` models, or zero.

    ``averaged`` are the places of the averages, to which ``summed`` and ``counts`` refer.
    """

    size: int
    copied: tuple[Donation, ...]
    averaged: Ids
    summed: tuple[Donation, ...]
    counts: Ids


@dataclass(frozen=True, slots=True, eq=False)
class RowMap:
    """How one model's rows come to their places.

    ``own`` has the model's row for each row of the child; those at ``foreign`` are then replaced
    by ``pooled`` of the pool, and those at ``means`` by the mean of its rows ``known``.
    """

    own: Ids
    foreign: Ids
    pooled: Ids
    means: Ids
    known: Ids


@dataclass(frozen=True, slots=True, eq=False)
class Placing:
    """The maps of all models, None for a model whose rows are in their places; and the pool."""

    size: int
    pool: Pool
    maps: tuple[RowMap | None, ...]


def place(
    child: Sequence[str | None],
    models: Sequence[Holding],
    *,
    owner: int,
    base: int | None,
    given: Mapping[int, Given],
    num_kept: int,
) -> Placing:
    """Return where the rows of ``child`` come from; None is a row without a token.

    Such rows below ``num_kept`` are those of ``owner``. ``given`` has rows of the child whose
    origin is named.
    """
    size = len(child)
    rows = np.stack([_rows_of(child, model) for model in models])
    nameless = np.array([r for r, token in enumerate(child) if token is None], dtype=np.int64)
    kept = nameless[nameless < min(num_kept, models[owner].num_rows)]
    rows[owner, kept] = kept
    asked = np.array(sorted(given), dtype=np.int64)
    forced = np.array([r for r in asked if given[int(r)].force], dtype=np.int64)
    is_known = rows >= 0
    is_pooled: NDArray[np.bool_] = np.logical_xor(is_known.any(axis=0), is_known.all(axis=0))
    is_pooled[asked] = True
    pooled = np.flatnonzero(is_pooled)
    maps = tuple(
        _row_map(own, model, pooled, forced, size) for own, model in zip(rows, models, strict=True)
    )
    return Placing(size, _pool(rows[:, pooled], pooled, base, given), maps)


def _rows_of(child: Sequence[str | None], model: Holding) -> Ids:
    """Return the model's row for each token of the child, -1 where it has none."""
    ids: Mapping[str | None, int] = model.ids  # type: ignore[assignment]  # None is not a token
    rows = np.fromiter(map(ids.get, child, repeat(-1)), np.int64, len(child))
    rows[rows >= model.num_rows] = -1  # a token beyond the matrix has no row
    return rows


def _row_map(own: Ids, model: Holding, pooled: Ids, forced: Ids, size: int) -> RowMap | None:
    in_pool = np.zeros(size, dtype=bool)
    in_pool[pooled] = True
    lacks = own < 0
    takes = lacks & in_pool
    takes[forced] = True
    means = np.flatnonzero(lacks & ~in_pool)
    foreign = np.flatnonzero(takes)
    is_in_place = model.num_rows == size and not foreign.size and not means.size
    if is_in_place and np.array_equal(own, np.arange(size)):
        return None
    known = np.array(sorted(set(model.ids.values())) if means.size else [], dtype=np.int64)
    return RowMap(
        own=np.maximum(own, 0),
        foreign=foreign,
        pooled=np.searchsorted(pooled, foreign),
        means=means,
        known=known[known < model.num_rows],
    )


def _pool(rows: Ids, pooled: Ids, base: int | None, given: Mapping[int, Given]) -> Pool:
    """Return the pool; ``rows`` are the models' rows for its places, -1 where they have none."""
    is_known = rows >= 0
    counts = is_known.sum(axis=0)
    donors = np.where(counts == 1, is_known.argmax(axis=0), -1)
    if base is not None:
        donors[is_known[base]] = base
    ids = np.where(donors >= 0, np.take_along_axis(rows, donors[None], axis=0)[0], -1)
    is_averaged = donors < 0
    for row, origin in given.items():
        spot = np.searchsorted(pooled, row)
        is_averaged[spot] = False
        donors[spot] = -1 if origin.model is None else origin.model
        ids[spot] = origin.row
    averaged = np.flatnonzero(is_averaged)
    copied, summed = [], []
    for model in range(len(rows)):
        spots = np.flatnonzero(donors == model)
        if spots.size:
            copied.append(Donation(model, spots, ids[spots]))
        spots = np.flatnonzero(is_known[model, averaged])
        if spots.size:
            summed.append(Donation(model, spots, rows[model, averaged[spots]]))
    return Pool(len(pooled), tuple(copied), averaged, tuple(summed), counts[averaged])
