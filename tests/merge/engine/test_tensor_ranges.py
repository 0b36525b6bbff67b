"""The engine: bits do not depend on threads, chunks or order; nothing infinite comes out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.engine.tensor_ranges import merge, merge_tensor
from stages.merge.methods import METHODS
from stages.merge.outputs.model_folder import hash_weights
from stages.merge.plan.planner import plan
from tests.merge.conftest import save_tensors
from tests.merge.recipes import planned, recipe_of


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Run with this many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# One of each kind of kernel: sums, norms, thresholds, votes, random words, ranks, decompositions.
KINDS = ("linear", "slerp", "ties", "sce", "dare_ties", "della", "model_stock", "iso_c", "wudi")


@pytest.mark.parametrize("method", KINDS)
def test_threads_and_chunks_change_no_bit(method: str, tmp_path: Path) -> None:
    """One thread or two, whole or in chunks of an odd size: the same bits."""
    generator = torch.Generator().manual_seed(0)
    models = [
        save_tensors(
            tmp_path / str(i),
            {"w": torch.randn(300_001, generator=generator).to(torch.bfloat16)},
        )
        for i in range(3)
    ]
    merge_plan = planned(recipe_of(method, models[0], models[1:]), models[0], models[1:])
    with _threads(1):
        one = merge_tensor(merge_plan, merge_plan.tensors[0])
    with _threads(2):
        two = merge_tensor(merge_plan, merge_plan.tensors[0])
        chunked = merge_tensor(merge_plan, merge_plan.tensors[0], chunk=7_919)
    assert torch.equal(one, two)
    assert torch.equal(one, chunked)


@pytest.mark.parametrize("method", METHODS)
def test_merge_yields_sorted_tensors_as_planned(method: str, opened: list[Checkpoint]) -> None:
    """The stream holds the planned tensors in the order of their names."""
    merge_plan = planned(recipe_of(method, opened[0], opened[1:3]), opened[0], opened[1:3])
    stream = list(merge(merge_plan))
    assert [name for name, _ in stream] == sorted(opened[0].tensors)
    assert all(t.dtype == torch.bfloat16 and torch.isfinite(t).all() for _, t in stream)


def test_seed_decides_the_dropped_entries(opened: list[Checkpoint]) -> None:
    """DARE with another seed gives other weights; with the same, the same."""
    hashes = [
        hash_weights(plan(recipe_of("dare_linear", opened[0], opened[1:3], seed=s), opened[:3]))
        for s in (0, 1, 0)
    ]
    assert hashes[0] == hashes[2] != hashes[1]


def test_masks_do_not_depend_on_the_place_of_a_parent(opened: list[Checkpoint]) -> None:
    """The same parents in another order are dropped at the same entries."""
    values = {"weight": 1.0, "density": 0.5}
    children = []
    for pair in ([opened[1], opened[2]], [opened[2], opened[1]]):
        recipe = recipe_of("dare_linear", opened[0], pair, values, dtype="float32")
        children.append(dict(merge(planned(recipe, opened[0], pair))))
    for name, tensor in children[0].items():
        assert torch.allclose(tensor, children[1][name], rtol=1e-5, atol=1e-5)


def test_infinity_is_an_error_that_names_the_tensor(opened: list[Checkpoint]) -> None:
    """A child that overflows its dtype is refused, never written."""
    recipe = recipe_of("task_arithmetic", opened[0], opened[1:2], {"weight": 1e6}, dtype="float16")
    with pytest.raises(
        RecipeError, match=r"tensor model\.embed_tokens\.weight: holds an infinity"
    ):
        list(merge(planned(recipe, opened[0], opened[1:2])))


def test_integers_are_copied_where_equal(tmp_path: Path) -> None:
    """Integer tensors pass unchanged; integers that differ are refused by name."""
    steps = torch.arange(4)
    one = save_tensors(tmp_path / "one", {"steps": steps, "w": torch.ones(2)})
    two = save_tensors(tmp_path / "two", {"steps": steps, "w": torch.zeros(2)})
    off = save_tensors(tmp_path / "off", {"steps": steps + 1, "w": torch.zeros(2)})
    child = dict(merge(planned(recipe_of("linear", one, [two], {"weight": 1.0}), one, [two])))
    assert torch.equal(steps, child["steps"])
    merge_plan = planned(recipe_of("linear", one, [off], {"weight": 1.0}), one, [off])
    with pytest.raises(RecipeError, match="tensor steps: off holds other integers than one"):
        list(merge(merge_plan))


def test_scalars_and_empty_tensors_merge(tmp_path: Path) -> None:
    """Tensors of no dimension and of no entry come through with their shapes."""
    one = save_tensors(tmp_path / "one", {"a": torch.tensor(1.0), "b": torch.empty(0, 3)})
    two = save_tensors(tmp_path / "two", {"a": torch.tensor(3.0), "b": torch.empty(0, 3)})
    for method in METHODS:
        merge_plan = planned(recipe_of(method, one, [one, two]), one, [one, two])
        child = dict(merge(merge_plan))
        assert (torch.Size([]), torch.Size([0, 3])) == (child["a"].shape, child["b"].shape)
