"""What the engine costs besides the arithmetic: microseconds per tensor, and how they grow."""

import json
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from stages.merge.stage import run
from stages.recipe.recipe import Model, Recipe, Rule

FEW, MANY = 5_000, 20_000
SHARD_BYTES = 10**9


def _save(folder: Path, count: int) -> Path:
    """Save a model of ``count`` tensors of eight entries, named as experts are."""
    folder.mkdir(parents=True)
    tensors = {
        f"model.layers.{i % 10}.mlp.experts.{i // 10}.up_proj.weight": torch.full((8,), float(i))
        for i in range(count)
    }
    save_file(tensors, folder / "model.safetensors")
    text = json.dumps({"num_hidden_layers": 10}) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")
    return folder


def _seconds(root: Path, count: int) -> float:
    """Return the best of three merges of two such models, from the door to the renamed folder."""
    parents = [_save(root / f"{count}-{name}", count) for name in ("one", "two")]
    rules = (Rule({"weight": (0.5, 0.25)}),)
    recipe = Recipe.of_models("linear", [Model("one", "1"), Model("two", "2")], rules)
    seconds = []
    for i in range(3):
        start = time.process_time()
        run(recipe, parents, root / f"{count}-child-{i}", shard_bytes=SHARD_BYTES)
        seconds.append(time.process_time() - start)
    return min(seconds)


@pytest.mark.bench
def test_overhead_is_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a tensor costs besides its arithmetic, in few and in many; no time is asserted."""
    few, many = (_seconds(tmp_path, count) * 1e6 / count for count in (FEW, MANY))
    with capsys.disabled():
        print(f"\n{few:.0f} us per tensor of {FEW}, {many:.0f} of {MANY}")  # noqa: T201
    assert min(few, many) > 0
