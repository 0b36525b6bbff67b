"""Which files hold a model's weights: by the index alone, in both formats."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.weight_files import WeightFiles
from stages.download.pickled_weights import read_pickled
from stages.errors import CheckpointError

Parts = Mapping[str, dict[str, Tensor]]
ONE, TWO = "w-00001-of-00002", "w-00002-of-00002"
SHARDS: Parts = {
    ONE: {"a": torch.ones(2), "b": torch.ones(3)},
    TWO: {"c": torch.ones(4)},
}


def _safetensors(folder: Path) -> dict[str, Tensor]:
    model = Checkpoint(folder)
    return {name: model.read(name) for name in model.tensors}


def _pickled(folder: Path) -> dict[str, Tensor]:
    files = WeightFiles.in_folder(folder)
    assert files is not None
    return read_pickled(folder, files)


Format = tuple[str, str, Callable[[dict[str, Tensor], Path], object], Callable[[Path], object]]
FORMATS: dict[str, Format] = {
    "safetensors": ("safetensors", "model.safetensors", save_file, _safetensors),
    "pickled": ("bin", "pytorch_model.bin", torch.save, _pickled),
}
formats = pytest.mark.parametrize("kind", FORMATS)


def save(
    folder: Path, kind: str, parts: Parts, weight_map: Mapping[str, object] | None = None
) -> Path:
    """Save shards and their index; without a map each tensor is where it is."""
    suffix, single, write, _ = FORMATS[kind]
    own = {name: f"{part}.{suffix}" for part, names in parts.items() for name in names}
    for part, tensors in parts.items():
        path = folder / f"{part}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(tensors, path)
    index = json.dumps({"weight_map": own if weight_map is None else weight_map})
    (folder / f"{single}.index.json").write_text(index, encoding="utf-8")
    (folder / "config.json").write_text("{}", encoding="utf-8")
    return folder


def read(folder: Path, kind: str) -> dict[str, Tensor]:
    """Return the tensors of a folder in a format."""
    tensors = FORMATS[kind][3](folder)
    assert isinstance(tensors, dict)
    return tensors


@formats
@pytest.mark.parametrize("names", [(ONE, TWO), ("x", "part of y"), ("deep/1", "deep/er/2")])
def test_each_tensor_comes_from_the_shard_that_the_index_gives(
    kind: str, names: tuple[str, str], tmp_path: Path
) -> None:
    """Shards have any names, folders too; files of an older split are not read."""
    parts = dict(zip(names, SHARDS.values(), strict=True))
    folder = save(tmp_path / "m", kind, parts)
    suffix, _, write, _ = FORMATS[kind]
    for number in range(1, 4):
        old = {name: torch.zeros(2) for name in "abcd"}
        write(old, folder / f"pytorch_model-0000{number}-of-00003.{suffix}")

    tensors = read(folder, kind)

    assert ["a", "b", "c"] == sorted(tensors)
    assert all(tensor.eq(1).all() for tensor in tensors.values())
    files = WeightFiles.in_folder(folder)
    assert files is not None
    assert 3 == len(files.strays)
    assert "pytorch_model-00001-of-00003" in files.notes[0]


FAULTS: dict[str, tuple[Parts, Mapping[str, object] | None, str]] = {
    "a tensor in two shards": (
        {**SHARDS, TWO: {"a": torch.zeros(2), "c": torch.ones(4)}},
        {"a": ONE, "b": ONE, "c": TWO},
        f"tensor a is in {ONE}.* and in {TWO}.*, the index says {ONE}",
    ),
    "equal in two shards": (
        {**SHARDS, TWO: {"b": torch.ones(3), "c": torch.ones(4)}},
        {"a": ONE, "b": TWO, "c": TWO},
        f"tensor b is in {ONE}.* and in {TWO}.*, the index says {TWO}",
    ),
    "a tensor elsewhere": (
        SHARDS,
        {"a": TWO, "b": ONE, "c": TWO},
        f"tensor a is in {ONE}.*, the index says {TWO}",
    ),
    "a tensor in no shard": (
        SHARDS,
        {"a": ONE, "b": ONE, "c": TWO, "d": TWO},
        f"tensor d is in no shard, the index says {TWO}",
    ),
    "a tensor that is not in the index": (
        SHARDS,
        {"a": ONE, "c": TWO},
        f"tensor b is in {ONE}.*, the index says nothing about it",
    ),
    "a shard that is missing": (
        {ONE: SHARDS[ONE]},
        {"a": ONE, "b": ONE, "c": TWO},
        f"the shard {TWO}.* is missing",
    ),
    "a shard in another folder": (SHARDS, {"a": "../x"}, "A shard is a file in this folder"),
    "a shard at the root": (SHARDS, {"a": "/etc/x"}, "A shard is a file in this folder"),
    "a way around": (SHARDS, {"a": "y/../../x"}, "A shard is a file in this folder"),
    "a shard without a name": (SHARDS, {"a": ""}, "A shard is a file in this folder"),
    "a shard that is a number": (SHARDS, {"a": 1}, "A shard is a file in this folder"),
    "a shard that is a list": (SHARDS, {"a": [ONE]}, "A shard is a file in this folder"),
}


@formats
@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_index_and_the_shards_say_otherwise_is_named(
    kind: str, fault: str, tmp_path: Path
) -> None:
    """Doubles, missing shards and paths that leave the folder are errors in both formats."""
    parts, said, message = FAULTS[fault]
    suffix = FORMATS[kind][0]
    names = {name: f"{s}.{suffix}" if s in (ONE, TWO) else s for name, s in (said or {}).items()}
    folder = save(tmp_path / "m", kind, parts, names)
    with pytest.raises(CheckpointError, match=message) as caught:
        read(folder, kind)
    assert "index.json" in str(caught.value)


@pytest.mark.parametrize("weight_map", ["[]", "{}", "3", '"x"', "null"])
def test_an_index_without_a_map_is_refused(weight_map: str, tmp_path: Path) -> None:
    """Without a weight_map nobody knows which tensor is where."""
    folder = save(tmp_path / "m", "pickled", SHARDS)
    text = f'{{"weight_map": {weight_map}}}'
    (folder / "pytorch_model.bin.index.json").write_text(text, encoding="utf-8")
    with pytest.raises(CheckpointError, match="no weight_map"):
        read(folder, "pickled")


@formats
def test_an_index_that_names_a_tensor_twice_is_refused(kind: str, tmp_path: Path) -> None:
    """JSON takes the last of two equal names; here they are named."""
    folder = save(tmp_path / "m", kind, SHARDS)
    (index,) = folder.glob("*.index.json")
    text = index.read_text(encoding="utf-8")
    index.write_text(text.replace('"b":', '"a":'), encoding="utf-8")
    with pytest.raises(CheckpointError, match="'a' is there twice"):
        read(folder, kind)


def test_the_order_is_that_of_transformers(tmp_path: Path) -> None:
    """Of several sets of weights the first counts: safetensors, then pickles; one file first."""
    listed = ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"]
    listed.append("pytorch_model.bin.index.json")
    for number, name in enumerate(listed):
        folder = save(tmp_path / name, "safetensors", SHARDS)
        save(folder, "pickled", SHARDS)
        for other in listed:
            if not other.endswith("index.json"):
                (folder / other).write_bytes(b"")
        for gone in listed[:number]:
            (folder / gone).unlink()
        files = WeightFiles.in_folder(folder)
        assert files is not None
        assert name == files.first
