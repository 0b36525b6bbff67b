"""The rows of a matrix in the places of the child's vocabulary: one index_select per matrix."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.safetensors_header import DTYPES
from stages.merge.tokenizers.row_placement import Ids, Placing, RowMap

_BLOCK = 4096  # rows read at a time for a mean


@dataclass(frozen=True, slots=True)
class Rows:
    """That a matrix of model ``model`` is read with its rows moved.

    ``matrices`` are all models' names for it, None where one has none. Equal rows stay equal: what
    was derived from a moved matrix is good for as long as these are.
    """

    placing: Placing
    model: int
    matrices: tuple[tuple[Checkpoint, str] | None, ...]


def read(parts: Sequence[tuple[Checkpoint, str, Rows | None]]) -> list[Tensor]:
    """Return the sources of one tensor, rows moved where that is said; never write to them.

    What models lack is gathered once for all of them. Moved matrices are in the dtype of the
    models' matrices, or in float32 where those differ. It is the same bits on any number of
    threads: rows are copied, and sums are added in a fixed order.
    """
    tensors = [model.read(name) for model, name, _ in parts]
    first = next((rows for _, _, rows in parts if rows is not None), None)
    if first is None:
        return tensors
    pool = _pool(first)
    for index, (_, _, rows) in enumerate(parts):
        row_map = None if rows is None else rows.placing.maps[rows.model]
        if row_map is not None:
            tensors[index] = _moved(tensors[index], row_map, pool)
    return tensors


def _moved(matrix: Tensor, row_map: RowMap, pool: Tensor) -> Tensor:
    moved = matrix.index_select(0, _tensor(row_map.own)).to(pool.dtype)
    moved[_tensor(row_map.foreign)] = pool[_tensor(row_map.pooled)]
    if row_map.means.size:
        moved[_tensor(row_map.means)] = _mean(matrix, row_map.known).to(pool.dtype)
    return moved


def _pool(rows: Rows) -> Tensor:
    """Return the rows that models lack, in the dtype of the moved matrices."""
    matrices = [matrix for matrix in rows.matrices if matrix is not None]
    infos = [model.tensors[name] for model, name in matrices]
    dtypes = {DTYPES[info.dtype] for info in infos}
    dtype = dtypes.pop() if len(dtypes) == 1 else torch.float32
    plan, shape = rows.placing.pool, infos[0].shape[1:]
    pool = torch.zeros(plan.size, *shape, dtype=dtype)
    for donation in plan.copied:
        pool[_tensor(donation.places)] = _rows_of(rows, donation.model, donation.ids).to(dtype)
    if plan.averaged.size:
        sums = torch.zeros(len(plan.averaged), *shape)
        for donation in plan.summed:
            sums[_tensor(donation.places)] += _rows_of(rows, donation.model, donation.ids).float()
        counts = _tensor(plan.counts).view(-1, *(1,) * len(shape))
        pool[_tensor(plan.averaged)] = (sums / counts).to(dtype)
    return pool


def _rows_of(rows: Rows, model: int, ids: Ids) -> Tensor:
    matrix = rows.matrices[model]
    if matrix is None:
        raise TypeError("a donor has the matrix: Vocabulary.rows checks it")
    return matrix[0].read(matrix[1]).index_select(0, _tensor(ids))


def _mean(matrix: Tensor, known: Ids) -> Tensor:
    """Return the mean of the rows ``known``, added in float64 one after the other."""
    total = np.zeros(matrix.shape[1:])
    for start in range(0, len(known), _BLOCK):
        block = matrix.index_select(0, _tensor(known[start : start + _BLOCK])).float().numpy()
        total += block.sum(axis=0, dtype=np.float64)
    return torch.from_numpy(np.asarray(total / max(len(known), 1)))


def _tensor(ids: NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(ids)
