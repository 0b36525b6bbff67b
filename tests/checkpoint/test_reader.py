"""Model folders: what is read equals what was written, and damage is named."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from stages.checkpoint.reader import Checkpoint, TensorInfo, digest, info_of
from stages.checkpoint.writer import CheckpointWriter
from stages.errors import CheckpointError
from stages.hashing import file_hash

TENSORS = {
    "a": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "b": torch.tensor([1, 2, 3], dtype=torch.int8),
    "c": torch.ones(4, dtype=torch.bfloat16),
    "d": torch.tensor(7, dtype=torch.int64),
    "e": torch.empty(0, 2, dtype=torch.float16),
    "f": torch.tensor([True, False]),
}

GOLDEN = "c1c4b656f757859eb26fb147da49ef2655429cc1778443836490c29feb28174e"


def _infos(tensors: dict[str, Tensor]) -> dict[str, TensorInfo]:
    """Return what a header would say of each tensor."""
    return {name: info_of(tensor) for name, tensor in tensors.items()}


def _write(out: Path, *, shard_bytes: int = 10**9, backwards: bool = False) -> Path:
    """Write ``TENSORS`` and an empty config."""
    with CheckpointWriter(out, _infos(TENSORS), shard_bytes=shard_bytes) as writer:
        for name in sorted(TENSORS, reverse=backwards):
            writer.add(name, TENSORS[name])
        (writer.folder / "config.json").write_text('{"num_hidden_layers": 3}', encoding="utf-8")
    return out


@pytest.mark.parametrize("shard_bytes", [1, 20, 30, 10**9])
def test_reader_gives_what_the_writer_took(shard_bytes: int, tmp_path: Path) -> None:
    """Every dtype and shape comes back, in any number of shards, under one hash."""
    checkpoint = Checkpoint(_write(tmp_path / "m", shard_bytes=shard_bytes))
    assert list(checkpoint.tensors) == sorted(TENSORS)
    for name, tensor in TENSORS.items():
        assert _infos(TENSORS)[name] == checkpoint.tensors[name]
        assert torch.equal(tensor, checkpoint.read(name))
    assert Checkpoint(_write(tmp_path / "one")).hash() == checkpoint.hash()


def test_safetensors_reads_what_we_write_and_the_reverse(tmp_path: Path) -> None:
    """The library and this module read each other's files."""
    ours = load_file(_write(tmp_path / "m") / "model.safetensors")
    assert all(torch.equal(tensor, ours[name]) for name, tensor in TENSORS.items())
    (tmp_path / "n").mkdir()
    save_file(TENSORS, tmp_path / "n" / "model.safetensors")
    (tmp_path / "n" / "config.json").write_text("{}", encoding="utf-8")
    assert Checkpoint(tmp_path / "m").hash() == Checkpoint(tmp_path / "n").hash()


def test_bytes_depend_on_the_tensors_alone(tmp_path: Path) -> None:
    """Tensors added in another order give the same file; its hash is pinned."""
    one, two = _write(tmp_path / "one"), _write(tmp_path / "two", backwards=True)
    hashes = {file_hash(folder / "model.safetensors") for folder in (one, two)}
    assert {GOLDEN} == hashes


def test_shards_are_named_and_indexed(tmp_path: Path) -> None:
    """More than one shard comes with an index that gives the total size."""
    folder = _write(tmp_path / "m", shard_bytes=30)
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    assert ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] == names
    index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))
    assert sum(i.num_bytes for i in _infos(TENSORS).values()) == index["metadata"]["total_size"]
    assert {"a", "b"} == {n for n, f in index["weight_map"].items() if f == names[0]}


def test_reading_is_private(tmp_path: Path) -> None:
    """Writing to a tensor that was read leaves the file as it was."""
    folder = _write(tmp_path / "m")
    Checkpoint(folder).read("a").zero_()
    assert torch.equal(TENSORS["a"], Checkpoint(folder).read("a"))


def test_unknown_tensor_is_refused(tmp_path: Path) -> None:
    """Reading a name that is not there says so."""
    with pytest.raises(CheckpointError, match="no tensor 'z'"):
        Checkpoint(_write(tmp_path / "m")).read("z")


def _edit_header(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Rewrite a file's header, keeping its data."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    edit(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a truncated file": (lambda p: p.write_bytes(p.read_bytes()[:-3]), "the tensors end at byte"),
    "bytes at the end": (lambda p: p.write_bytes(p.read_bytes() + b"xx"), "the tensors end at"),
    "a file of 3 bytes": (lambda p: p.write_bytes(b"abc"), "the header should take"),
    "an endless header": (lambda p: p.write_bytes(b"\xff" * 64), "the header should take"),
    "no JSON": (lambda p: p.write_bytes(b"\2" + b"\0" * 7 + b"[}"), "header cannot be read"),
    "not an object": (
        lambda p: p.write_bytes(b"\2" + b"\0" * 7 + b"[]"),
        "header cannot be read: it holds a list, not an object",
    ),
    "an unknown dtype": (
        lambda p: _edit_header(p, lambda h: h["a"].update(dtype="F7")),
        "dtype 'F7', known are",
    ),
    "a false shape": (
        lambda p: _edit_header(p, lambda h: h["a"].update(shape=[2, 4])),
        r"for F32 \[2, 4\]",
    ),
    "a negative shape": (
        lambda p: _edit_header(p, lambda h: h["a"].update(shape=[-2, -3])),
        r"shape \[-2, -3\]",
    ),
    "an overlap": (
        lambda p: _edit_header(p, lambda h: h["c"].update(data_offsets=[28, 36])),
        "overlaps the tensor before it",
    ),
    "a shape of many ones": (
        lambda p: _edit_header(p, lambda h: h["a"].update(shape=[2, 3] + [1] * 63)),
        "a shape of 65 dimensions",
    ),
    "an endless name": (
        lambda p: _edit_header(p, lambda h: h.update({"x" * 9000: h.pop("a")})),
        r"a name of 9000 characters, x{20}\.",
    ),
    "a hole": (lambda p: _edit_header(p, lambda h: h.pop("c")), "leaves a hole"),
    "offsets past the end": (
        lambda p: _edit_header(p, lambda h: h["b"].update(data_offsets=[900, 903])),
        "leaves a hole",
    ),
    "offsets before the start": (
        lambda p: _edit_header(p, lambda h: h["a"].update(data_offsets=[-24, 0])),
        "overlaps the tensor before it",
    ),
    "offsets the wrong way round": (
        lambda p: _edit_header(p, lambda h: h["a"].update(data_offsets=[24, 0])),
        "bytes 24 to 0 for F32",
    ),
    "a gigantic shape": (
        lambda p: _edit_header(p, lambda h: h["a"].update(shape=[2**62, 2**62])),
        r"shape \[4611686018427387904, 4611686018427387904\]",
    ),
    "an empty tensor of a gigantic shape": (
        lambda p: _edit_header(
            p, lambda h: h.update(z={"dtype": "F32", "shape": [0, 2**70], "data_offsets": [0, 0]})
        ),
        r"shape \[0, 1180591620717411303424\]",
    ),
    "a shape of booleans": (
        lambda p: _edit_header(p, lambda h: h["d"].update(shape=[True])),
        r"shape \[True\]",
    ),
    "an offset that is a boolean": (
        lambda p: _edit_header(p, lambda h: h["a"].update(data_offsets=[False, 24])),
        "not two whole numbers",
    ),
    "a shape that is an object": (
        lambda p: _edit_header(p, lambda h: h["d"].update(shape={})),
        "shape {}",
    ),
    "a tensor that is a list": (
        lambda p: _edit_header(p, lambda h: h.update(a=[1])),
        r"a tensor is \[1\], not an object",
    ),
    "half a character in a name": (
        lambda p: _edit_header(p, lambda h: h.update({"\ud800": h.pop("a")})),
        "half of a character",
    ),
    "metadata of numbers": (
        lambda p: _edit_header(p, lambda h: h.update(__metadata__={"step": 3})),
        "__metadata__ holds something other",
    ),
    "metadata that is a text": (
        lambda p: _edit_header(p, lambda h: h.update(__metadata__="pt")),
        "__metadata__ holds something other",
    ),
    "a number that is none": (
        lambda p: _edit_header(p, lambda h: h["a"].update(note=float("nan"))),
        "NaN is not a number",
    ),
    "a tensor that is there twice": (
        lambda p: p.write_bytes(p.read_bytes().replace(b'"b":', b'"a":', 1)),
        "'a' is there twice",
    ),
    "a header without end": (
        lambda p: p.write_bytes((10**5).to_bytes(8, "little") + b"[" * 10**5),
        "header cannot be read",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_file_is_named(damage: str, tmp_path: Path) -> None:
    """Opening finds the damage, and names the file and what to do."""
    path = _write(tmp_path / "m") / "model.safetensors"
    inflict, message = DAMAGE[damage]
    inflict(path)
    with pytest.raises(CheckpointError, match=message) as caught:
        Checkpoint(path.parent)
    assert str(caught.value).startswith(str(path))
    assert "fetch or save the model again" in str(caught.value)


FOLDER_DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda f: (f / "config.json").unlink(), "no such file"),
    "a config that is not JSON": (lambda f: (f / "config.json").write_text("{"), "not JSON"),
    "a config that is a list": (lambda f: (f / "config.json").write_text("[]"), "holds a list"),
    "a link that leads out": (
        lambda f: (f / "vocab.txt").symlink_to("/etc/passwd"),
        "vocab.txt: a link that leads out of",
    ),
    "a missing shard": (
        lambda f: (f / "model-00002-of-00002.safetensors").unlink(),
        "the shard model-00002-of-00002.safetensors is missing",
    ),
    "a truncated shard": (
        lambda f: os.truncate(f / "model-00001-of-00002.safetensors", 90),
        "the header should take",
    ),
    "an empty index": (
        lambda f: (f / "model.safetensors.index.json").write_text("{}"),
        "no weight_map",
    ),
    "a shard elsewhere": (
        lambda f: (f / "model.safetensors.index.json").write_text(
            '{"weight_map": {"a": "../x.safetensors"}}'
        ),
        "A shard is a file in this folder",
    ),
    "an index that misses tensors": (
        lambda f: (f / "model.safetensors.index.json").write_text(
            '{"weight_map": {"a": "model-00001-of-00002.safetensors"}}'
        ),
        "tensor b is in model-00001-of-00002.safetensors, the index says nothing about it",
    ),
}


@pytest.mark.parametrize("damage", FOLDER_DAMAGE)
def test_damaged_folder_is_named(damage: str, tmp_path: Path) -> None:
    """A folder that lacks a part says which."""
    folder = _write(tmp_path / "m", shard_bytes=30)
    inflict, message = FOLDER_DAMAGE[damage]
    inflict(folder)
    with pytest.raises(CheckpointError, match=message):
        Checkpoint(folder)


def test_other_formats_are_named(tmp_path: Path) -> None:
    """A folder of pickled weights, an empty one and a missing one are told apart."""
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CheckpointError, match="holds no weights"):
        Checkpoint(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"holds pytorch_model.bin.*merges safetensors only"):
        Checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="no such file"):
        Checkpoint(tmp_path / "none")


BAD_ADDS: dict[str, tuple[str, Tensor, str]] = {
    "a wrong shape": (
        "a",
        torch.zeros(3, 2),
        r"is F32 \[3, 2\], but was announced as F32 \[2, 3\]",
    ),
    "a wrong dtype": ("a", torch.zeros(2, 3, dtype=torch.float16), r"is F16 \[2, 3\]"),
    "a stray name": ("z", torch.zeros(1), "was not announced"),
    "a dtype without a name": ("a", torch.zeros(2, 3, dtype=torch.complex64), "complex64"),
}


@pytest.mark.parametrize("fault", BAD_ADDS)
def test_writer_refuses(fault: str, tmp_path: Path) -> None:
    """A tensor other than announced is refused, and nothing is left on disk."""
    name, tensor, message = BAD_ADDS[fault]
    with (
        pytest.raises(CheckpointError, match=message),
        CheckpointWriter(tmp_path / "m", _infos(TENSORS), shard_bytes=30) as writer,
    ):
        writer.add(name, tensor)
    assert [] == list(tmp_path.iterdir())


def test_writer_wants_each_tensor_once(tmp_path: Path) -> None:
    """A tensor added twice, or never, is named."""
    infos = _infos({"a": TENSORS["a"], "c": TENSORS["c"]})
    with CheckpointWriter(tmp_path / "m", infos, shard_bytes=30) as writer:
        writer.add("c", TENSORS["c"])
        with pytest.raises(CheckpointError, match="c was added before"):
            writer.add("c", TENSORS["c"])
        writer.add("a", TENSORS["a"])
    with (
        pytest.raises(CheckpointError, match="1 of 2 tensors were not added, first c"),
        CheckpointWriter(tmp_path / "n", infos, shard_bytes=30) as writer,
    ):
        writer.add("a", TENSORS["a"])
    assert [tmp_path / "m"] == list(tmp_path.iterdir())


def test_writer_takes_bytes_that_belong_together(tmp_path: Path) -> None:
    """Bytes of several tensors go to their places in any shards; a wrong size is refused."""
    names, infos = ["a", "c", "d", "e"], _infos(TENSORS)
    flat = {name: tensor.reshape(-1).view(torch.uint8) for name, tensor in TENSORS.items()}
    data = torch.cat([flat[name] for name in names]).numpy()
    for shard_bytes in (1, 30, 10**9):
        with CheckpointWriter(tmp_path / "m", infos, shard_bytes=shard_bytes) as writer:
            with pytest.raises(CheckpointError, match="a have 39 bytes, but 40 were announced"):
                writer.add_run(names, data[:-1].data)
            digests = writer.add_run(names, data.data)
            with pytest.raises(CheckpointError, match="c was added before"):
                writer.add_run(["b", "c"], data.data)
            for name in ("b", "f"):
                writer.add(name, TENSORS[name])
            (writer.folder / "config.json").write_text("{}", encoding="utf-8")
        read = Checkpoint(tmp_path / "m")
        assert all(torch.equal(tensor, read.read(name)) for name, tensor in TENSORS.items())
        assert {name: digest(TENSORS[name]) for name in names} == digests
        shutil.rmtree(tmp_path / "m")


def test_writer_overwrites_nothing(tmp_path: Path) -> None:
    """A folder that holds something is refused; an empty one is used."""
    (tmp_path / "m").mkdir()
    folder = _write(tmp_path / "m")
    with pytest.raises(CheckpointError, match="already there"):
        _write(folder)


def test_writer_overwrites_nothing_that_came_meanwhile(tmp_path: Path) -> None:
    """Of two writers to one folder the first to end has it; the other leaves nothing."""
    late = CheckpointWriter(tmp_path / "m", {"a": TensorInfo("F32", (2,))}, shard_bytes=10**9)
    with pytest.raises(CheckpointError, match="m: another process wrote there"), late:  # noqa: PT012  it is the end that raises
        late.add("a", torch.ones(2))
        _write(tmp_path / "m")
    assert ["m"] == [path.name for path in tmp_path.iterdir()]
