"""Weights in shards, pickled or not, through the download stage: only what the index names."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from stages.checkpoint.reader import Checkpoint
from stages.errors import CheckpointError
from tests.download.conftest import params, run
from tests.hub_server import HubServer

OUT = Path("data/parents")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 1234\n" % (b"0" * 64)


def pickled(folder: Path, num_shards: int = 2, *, factor: float = 1.0) -> dict[str, Tensor]:
    """Replace a model's weights by pickled shards and their index; return the tensors."""
    tensors: dict[str, Tensor] = load_file(folder / "model.safetensors")
    weight_map: dict[str, str] = {}
    for number in range(num_shards):
        name = f"pytorch_model-{number + 1:05}-of-{num_shards:05}.bin"
        part = {n: tensors[n] * factor for n in sorted(tensors)[number::num_shards]}
        torch.save(part, folder / name)
        weight_map |= dict.fromkeys(part, name)
    index = json.dumps({"metadata": {}, "weight_map": weight_map})
    (folder / "pytorch_model.bin.index.json").write_text(index, encoding="utf-8")
    return tensors


def notes() -> list[str]:
    """Return the manifest's notes on the parent math."""
    models = json.loads((OUT / "manifest.json").read_text(encoding="utf-8"))["models"]
    return [str(note) for note in models[1]["notes"]]


@pytest.mark.usefixtures("project")
def test_an_old_split_on_the_hub_is_neither_fetched_nor_read(
    hub: HubServer, pico: dict[str, Path], tmp_path: Path
) -> None:
    """Of two splits of pickled weights the one that the index names is taken; a note says so."""
    folder = shutil.copytree(pico["math"], tmp_path / "math")
    pickled(folder, 3, factor=0.0)
    expected = pickled(folder, 2)
    (folder / "model.safetensors").unlink()
    hub.push("org/math", folder)

    run(params(math="org/math@main"), OUT)

    tensors = load_file(OUT / "math/model.safetensors")
    assert expected.keys() == tensors.keys()
    assert all(torch.equal(expected[name], tensors[name]) for name in expected)
    assert not [name for name in hub.fetched() if "of-00003" in name]
    assert 2 == len([name for name in hub.fetched() if "of-00002" in name])
    assert 3 == len([note for note in notes() if "of-00003.bin: pytorch_model.bin.index" in note])


def test_stray_shards_of_safetensors_stay_where_they_are(project: Path) -> None:
    """Shards of any name are copied by the index; others are left out and named."""
    folder = project / "data/zoo/math"
    expected = load_file(folder / "model.safetensors")
    names = sorted(expected)
    weight_map = {n: f"deep/part {i % 2}" for i, n in enumerate(names)}
    (folder / "deep").mkdir()
    for part in sorted({*weight_map.values()}):
        save_file({n: expected[n] for n in names if weight_map[n] == part}, folder / part)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")
    stray = folder / "model-00001-of-00009.safetensors"
    (folder / "model.safetensors").rename(stray)

    run(params(), OUT)

    copied = Checkpoint(OUT / "math")
    assert all(torch.equal(expected[name], copied.read(name)) for name in names)
    assert not (OUT / "math" / stray.name).exists()
    assert [f"left out {stray.name}: {index.name} does not name it"] == notes()


def _lose_a_shard(folder: Path) -> None:
    pickled(folder)
    (folder / "pytorch_model-00002-of-00002.bin").unlink()
    (folder / "model.safetensors").unlink()


def _lose_the_index(folder: Path) -> None:
    pickled(folder)
    (folder / "pytorch_model.bin.index.json").unlink()
    (folder / "model.safetensors").unlink()


def _save(value: Any) -> Any:
    def save(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        torch.save(value, folder / "pytorch_model.bin")

    return save


def _write(name: str, content: bytes) -> Any:
    def write(folder: Path) -> None:
        if name.endswith(".bin"):
            (folder / "model.safetensors").unlink()
        (folder / name).write_bytes(content)

    return write


class Asks:
    """What a pickle must not call."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("exploded",)


DEEP = b'{"a":' * 3000 + b"1" + b"}" * 3000
FAULTS: dict[str, tuple[Any, str]] = {
    "a missing shard": (_lose_a_shard, "the shard pytorch_model-00002-of-00002.bin is missing"),
    "no index": (_lose_the_index, r"without pytorch_model.bin.index.json"),
    "a pickle of objects": (
        _save({"a": Asks()}),
        "it asks for posix.mkdir, which is not a tensor",
    ),
    "a pickle of numbers": (_save({"a": 1}), "holds more than named tensors"),
    "a pickle of tensors by number": (_save({1: torch.ones(1)}), "holds more than named tensors"),
    "a sparse tensor": (_save({"a": torch.eye(3).to_sparse()}), "tensor 'a': it is sparse"),
    "a tensor of complex numbers": (_save({"a": torch.ones(1) * 1j}), "tensor 'a': .*complex64"),
    "a name that is not text": (
        _save({"a\ud800": torch.ones(1)}),
        r"not allowed\. Save the",
    ),
    "a truncated pickle": (_write("pytorch_model.bin", b"\x80\x02}q"), "cannot be read as plain"),
    "a pickle of nothing": (_write("pytorch_model.bin", b""), "cannot be read as plain weights"),
    "a pickle of stray bytes": (
        _write("pytorch_model.bin", b"\x80\x02h\x05."),
        "as plain weights",
    ),
    "a pointer for weights": (
        _write("model.safetensors", POINTER),
        "model.safetensors: a pointer of git-lfs",
    ),
    "a pointer for a pickle": (
        _write("pytorch_model.bin", POINTER),
        "pytorch_model.bin: a pointer of git-lfs",
    ),
    "a pointer for a tokenizer": (
        _write("tokenizer.json", POINTER),
        "tokenizer.json: a pointer of git-lfs, not the file itself. Run `git lfs pull`",
    ),
    "a nested config": (_write("config.json", b"[" * 200000), "config.json: not JSON: nested"),
    "a deep config": (_write("config.json", DEEP), "nested"),
    "a config of half a character": (_write("config.json", b'{"a": "\\udc00"}'), "half of a char"),
    "a config in another encoding": (
        _write("config.json", '{"model_type": "llama"}'.encode("utf-16")),
        "config.json: not JSON: line 1: it is UTF-16",
    ),
    "settings of a tokenizer that are a list": (
        _write("tokenizer_config.json", b"[]"),
        "tokenizer_config.json: not JSON: it holds a list",
    ),
    "a tokenizer that is nested": (
        _write("tokenizer.json", b"[" * 200000),
        "tokenizer.json: not J",
    ),
    "a tokenizer of other things": (
        _write("tokenizer.json", b'{"model": {"vocab": {"a": "b"}}}'),
        "the tokenizer cannot be read",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_and_hostile_files_are_named(fault: str, project: Path) -> None:
    """Each gives a message that begins with the parent; torch's advice is not passed on."""
    inflict, message = FAULTS[fault]
    inflict(project / "data/zoo/math")

    with pytest.raises(CheckpointError, match=message) as caught:
        run(params(), OUT)

    said = str(caught.value)
    assert all(line.startswith("params.yaml: download.parents.math") for line in said.splitlines())
    assert "weights_only" not in said
    assert str(project) not in said
    assert not Path("exploded").exists()


@pytest.mark.parametrize("said", ["awq", ["awq"], {"quant_method": "awq"}, {}, 1, True, None, 0.0])
@pytest.mark.parametrize("key", ["quantization_config", "text_config", "rope_parameters"])
def test_configs_of_odd_values_do_not_crash(project: Path, key: str, said: object) -> None:
    """A section that is neither an object nor null is refused in a sentence, as odd keys are."""
    path = project / "data/zoo/math/config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, key: said}), encoding="utf-8")

    if key == "rope_parameters" and said == {"quant_method": "awq"}:
        with pytest.raises(CheckpointError, match=r"rope_parameters\.quant_method is 'awq'"):
            run(params(), OUT)
    elif said is None or isinstance(said, dict):
        run(params(), OUT)
    else:
        with pytest.raises(CheckpointError, match=rf"{key} is .*\. Legal is an object"):
            run(params(), OUT)
