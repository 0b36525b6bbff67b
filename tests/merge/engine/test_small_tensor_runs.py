"""Small tensors that are merged as one: the same bytes as one by one, and the same errors."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stages.checkpoint.reader import Checkpoint, digest
from stages.errors import RecipeError
from stages.hashing import weights_hash
from stages.merge.engine import small_tensor_runs
from stages.merge.engine.small_tensor_runs import merge_run, pieces_of, runs_of
from stages.merge.engine.tensor_ranges import merge
from stages.merge.methods import METHODS
from stages.merge.outputs.model_folder import hash_weights, write_model
from stages.merge.plan.plan import Plan
from stages.recipe.recipe import Value
from tests.merge.conftest import save_tensors
from tests.merge.recipes import planned, recipe_of

ENTRYWISE = [name for name, method in METHODS.items() if method.is_entrywise]
SHAPES = {"a": (3,), "b": (2, 5), "c": (), "d": (0, 2), "e": (7,), "f": (1, 1), "g": (4, 4)}


def _tensors(seed: int, **other: Tensor) -> dict[str, Tensor]:
    """Return small tensors named by letters; those of ``other`` take the place of theirs."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}
    return {**tensors, **other}


def _plan(root: Path, method: str, *, values: dict[str, Value] | None = None) -> Plan:
    """Return a plan of a base and two parents, with integers and a half-precision tensor."""
    models = [
        save_tensors(
            root / str(seed),
            _tensors(seed, i=torch.arange(3), e=torch.full((7,), float(seed)).half()),
        )
        for seed in range(3)
    ]
    recipe = recipe_of(method, models[0], models[1:], values)
    return planned(recipe, models[0], models[1:])


def _names(plan: Plan) -> list[str]:
    """Return the names in each run, joined."""
    return ["".join(tensor.name for tensor in run) for run in runs_of(plan)]


@pytest.mark.parametrize("method", ENTRYWISE)
def test_runs_change_no_byte(method: str, tmp_path: Path) -> None:
    """A folder and a hash are those of the tensors merged one at a time, in any shards."""
    plan = _plan(tmp_path, method)
    alone = {
        tensor.name: (tensor.info.dtype, tensor.info.shape, digest(child))
        for tensor, (_, child) in zip(plan.tensors, merge(plan), strict=True)
    }
    assert weights_hash(alone) == hash_weights(plan)
    for shard_bytes in (10**9, 40, 1):
        out = tmp_path / f"out-{shard_bytes}"
        assert weights_hash(alone) == write_model(plan, out, shard_bytes=shard_bytes)
        written = Checkpoint(out)
        assert {name: entry[2] for name, entry in alone.items()} == {
            name: digest(written.read(name)) for name in written.tensors
        }


def test_a_run_is_what_lies_side_by_side(tmp_path: Path) -> None:
    """Wider tensors lie before the half-precision one, and integers are never merged."""
    assert ["abcd", "e", "fg", "i"] == _names(_plan(tmp_path, "linear"))


@pytest.mark.parametrize("method", ["ties", "dare_linear", "slerp", "consensus_ta"])
def test_other_methods_take_each_tensor_by_itself(method: str, tmp_path: Path) -> None:
    """A method that looks at a whole tensor, or at its random words, has no runs of several."""
    assert all(1 == len(names) for names in _names(_plan(tmp_path, method)))


def test_a_run_has_one_setting_and_is_no_longer_than_a_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tensors under different values are apart, and so is what would make a run too long."""
    plan = _plan(tmp_path, "linear")
    last = plan.tensors[1]
    other = replace(last.settings, parent={"weight": (0.5, 0.5)})
    tensors = (plan.tensors[0], replace(last, settings=other), *plan.tensors[2:])
    assert ["a", "b", "cd", "e", "fg", "i"] == _names(replace(plan, tensors=tensors))
    monkeypatch.setattr(small_tensor_runs, "CHUNK", 13)
    assert ["ab", "cd", "e", "f", "g", "i"] == _names(plan)


def test_models_in_other_orders_have_no_runs(tmp_path: Path) -> None:
    """Where one parent keeps its tensors in other places, each is merged by itself."""
    base = save_tensors(tmp_path / "base", _tensors(0))
    wide = {"b": torch.ones(2, 5, dtype=torch.float64)}  # it comes first in its file
    parents = [save_tensors(tmp_path / "one", _tensors(1, **wide))]
    plan = planned(recipe_of("task_arithmetic", base, parents, {"weight": 1.0}), base, parents)
    assert ["a", "b", "cdefg"] == _names(plan)
    written = write_model(plan, tmp_path / "out", shard_bytes=10**9)
    assert Checkpoint(tmp_path / "out").hash() == written


@pytest.mark.parametrize("bad", [float("inf"), float("nan"), 3.3e38])
def test_the_error_names_the_tensor_of_a_run(bad: float, tmp_path: Path) -> None:
    """What is not finite is laid to the first tensor that holds it, and to the models' own."""
    models = [
        save_tensors(tmp_path / str(seed), _tensors(seed, c=torch.tensor(bad if seed else 0.0)))
        for seed in range(3)
    ]
    values: dict[str, Value] = {"weight": 1.0, "normalize": 0.0}
    plan = planned(recipe_of("linear", models[0], models[1:], values), models[0], models[1:])
    assert "abcdefg" in _names(plan)
    cause = "in bfloat16. Use" if math.isfinite(bad) else "as in 1 and 2. Leave"
    with pytest.raises(RecipeError, match=f"tensor c: holds an infinity or NaN,? {cause}"):
        hash_weights(plan)
    with pytest.raises(RecipeError, match=f"tensor c: holds an infinity or NaN,? {cause}"):
        write_model(plan, tmp_path / "out", shard_bytes=10**9)
    assert ["0", "1", "2"] == sorted(path.name for path in tmp_path.iterdir())


def test_pieces_are_the_tensors(tmp_path: Path) -> None:
    """The bytes of a run divide into those of its tensors, empty ones too."""
    plan = _plan(tmp_path, "linear")
    run = next(iter(runs_of(plan)))
    data = merge_run(plan, run).view(torch.uint8).numpy().data
    merged = dict(merge(plan))
    for name, piece in pieces_of(run, data):
        assert merged[name].reshape(-1).view(torch.uint8).numpy().tobytes() == bytes(piece)


def test_progress_is_told_of_each_tensor(tmp_path: Path) -> None:
    """Tensors of a run are told one by one, so that the bytes add up."""
    plan = _plan(tmp_path, "linear")
    noted_bytes: list[int] = []
    write_model(plan, tmp_path / "out", shard_bytes=10**9, threads=1, note=noted_bytes.append)
    assert sorted(tensor.info.num_bytes for tensor in plan.tensors) == sorted(noted_bytes)
