"""Threads over tensors: the same bytes with any number, and the same error."""

from pathlib import Path

import pytest
import torch

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.outputs.model_folder import hash_weights, write_model
from stages.merge.plan.plan import Plan
from stages.recipe.recipe import Value
from tests.merge.conftest import save_tensors
from tests.merge.recipes import planned, recipe_of

SIZE = 400_000  # so that three of them are more than one thread would be given


def _plan(root: Path, method: str, **large: float) -> Plan:
    """Return a plan of three tensors in two models; those named have one entry of that size."""
    models: list[Checkpoint] = []
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        tensors = {n: torch.randn(SIZE, generator=generator).bfloat16() for n in ("a", "b", "c")}
        for name, value in large.items():
            tensors[name][0] = value * (seed > 0)
        models.append(save_tensors(root / str(seed), tensors))
    return planned(recipe_of(method, models[0], models[1:]), models[0], models[1:])


@pytest.mark.parametrize("method", ["linear", "ties", "dare_ties"])
def test_threads_change_no_byte(method: str, tmp_path: Path) -> None:
    """With one thread, two or eight a folder holds the same bytes, and torch keeps its threads."""
    plan = _plan(tmp_path, method)
    before = torch.get_num_threads()
    files = []
    for threads in (1, 2, 8):
        out = tmp_path / f"out-{threads}"
        digest = write_model(plan, out, shard_bytes=SIZE * 3, threads=threads)
        assert digest == hash_weights(plan, threads=threads)
        files.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert files[0] == files[1] == files[2]
    assert before == torch.get_num_threads()


def test_the_error_is_that_of_the_first_name(tmp_path: Path) -> None:
    """Where two tensors fail, any number of threads reports the first, and leaves nothing."""
    plan = _plan(tmp_path, "linear", b=3.3e38, c=float("inf"))
    settings: dict[str, Value] = {"weight": (1.0, 1.0), "normalize": 0.0}
    base, *parents = plan.models
    plan = planned(recipe_of("linear", base, parents, settings), base, parents)
    for threads in (1, 2, 8):
        with pytest.raises(RecipeError, match="tensor b: holds an infinity"):
            write_model(plan, tmp_path / "out", shard_bytes=10**9, threads=threads)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2"]
