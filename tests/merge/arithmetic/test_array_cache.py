"""The memo: what it keeps changes no bit, and it keeps no more than its limit."""

import numpy as np
import pytest

from stages.checkpoint.reader import Checkpoint
from stages.merge.arithmetic.array_cache import Memo
from stages.merge.engine.tensor_ranges import merge_tensor
from tests.merge.recipes import planned, recipe_of


@pytest.mark.parametrize("method", ["ties", "dare_linear", "dare_ties", "breadcrumbs"])
@pytest.mark.parametrize("limit", [0, 3_000, 10**6])
def test_memo_changes_no_bit(method: str, limit: int, opened: list[Checkpoint]) -> None:
    """With no room, some room or room for all, and used twice, merges are the same."""
    memo = Memo(limit)
    plan = planned(recipe_of(method, opened[0], opened[1:3]), opened[0], opened[1:3])
    for tensor in (*plan.tensors, *plan.tensors):
        kept = merge_tensor(plan, tensor, memo=memo, chunk=100)
        without = merge_tensor(plan, tensor, memo=None)
        assert without.tolist() == kept.tolist()


def test_memo_tells_parents_apart(opened: list[Checkpoint]) -> None:
    """Another parent or another base under one memo is not taken for the first."""
    memo = Memo(10**6)
    values = {"weight": 1.0, "density": 0.3}
    for base, parent in ((0, 1), (0, 2), (1, 2)):
        models = opened[base], [opened[parent]]
        plan = planned(recipe_of("ties", models[0], models[1], values), *models)
        for tensor in plan.tensors:
            without = merge_tensor(plan, tensor, memo=None)
            assert without.tolist() == merge_tensor(plan, tensor, memo=memo).tolist()


def test_memo_keeps_no_more_than_its_limit() -> None:
    """An array that does not fit is computed each time; one that fits is computed once."""
    memo, calls = Memo(12), []

    def compute() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        calls.append(1)
        return np.zeros(2, dtype=np.float32)

    for name in ("a", "a", "b", "b"):
        memo.get(name, compute)
    assert 3 == len(calls)
    assert memo.has_room("a", 8)
    assert not memo.has_room("b", 8)
