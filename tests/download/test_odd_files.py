"""Files that are not what their names say, and names that are odd: each is called what it is."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from stages.checkpoint.reader import Checkpoint
from stages.errors import CheckpointError
from tests.download.conftest import params, run
from tests.hub_server import HubServer

OUT = Path("data/parents")
WEIGHTS = "model.safetensors"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 1234\n" % (b"0" * 64)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("name", [WEIGHTS, "tokenizer.json", "config.json"])
@pytest.mark.parametrize("is_local", [True, False])
def test_a_pointer_is_called_a_pointer(
    name: str, is_local: bool, hub: HubServer, pico: dict[str, Path], tmp_path: Path
) -> None:
    """Of git-lfs pointers, in a folder or on a hub, the message says so and what to do."""
    folder = shutil.copytree(pico["math"], tmp_path / "project/mine")
    (folder / name).write_bytes(POINTER)
    hub.push("org/math", folder)

    advice = "git lfs pull" if is_local else "If the hub sent it.*another revision"
    with pytest.raises(CheckpointError, match=rf"{name}.*git-lfs.*{advice}"):
        run(params(math="./mine" if is_local else "org/math@main"), OUT)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "text", ["", "null", "[]", '"text"', '{"a": ', "{\x00}", "[" * 200_000, "\ufeff{}}"]
)
def test_a_damaged_tokenizer_config_is_named(text: str, tmp_path: Path) -> None:
    """The message names the model and the file, in one line."""
    folder = tmp_path / "project/data/zoo/math"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")

    with pytest.raises(CheckpointError) as caught:
        run(params(), OUT)

    (line,) = str(caught.value).splitlines()
    assert "download.parents.math" in line
    assert "tokenizer_config.json" in line
    assert len(line) < 400
    assert "NoneType" not in line


def split(folder: Path, shards: list[str]) -> None:
    """Replace a model's weights by shards of these names and their index."""
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    weight_map = {n: shards[i % len(shards)] for i, n in enumerate(sorted(tensors))}
    for shard in shards:
        if ".." not in shard and not shard.startswith("/"):
            (folder / shard).parent.mkdir(exist_ok=True)
            part = {n: tensors[n] for n in tensors if weight_map[n] == shard}
            save_file(part, folder / shard)
    index = json.dumps({"weight_map": weight_map})
    (folder / "model.safetensors.index.json").write_text(index, encoding="utf-8")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "name",
    ["part 1.safetensors", "größe-数.safetensors", "a[1]*?#%41.safetensors", "con.safetensors"],
)
def test_shards_may_have_any_name(
    name: str, hub: HubServer, pico: dict[str, Path], tmp_path: Path
) -> None:
    """Spaces, other alphabets, what means something in patterns and addresses: all are fetched."""
    folder = shutil.copytree(pico["math"], tmp_path / "math")
    split(folder, [name, "deep/b.safetensors"])
    hub.push("org/math", folder)

    run(params(math="org/math@main"), OUT)

    assert Checkpoint(pico["math"]).hash() == Checkpoint(OUT / "math").hash()
    assert (OUT / "math" / name).is_file()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("name", ["../evil.safetensors", "/evil.safetensors", "a/../../e", "a\\b"])
def test_names_that_lead_out_are_refused(
    name: str, hub: HubServer, pico: dict[str, Path], tmp_path: Path
) -> None:
    """An index that names a file outside of its folder is refused before a weight is fetched."""
    folder = shutil.copytree(pico["math"], tmp_path / "math")
    split(folder, ["a.safetensors"])
    index = folder / "model.safetensors.index.json"
    data = json.loads(index.read_text(encoding="utf-8"))
    data["weight_map"] = dict.fromkeys(data["weight_map"], name)
    index.write_text(json.dumps(data), encoding="utf-8")
    hub.push("org/math", folder)

    with pytest.raises(CheckpointError, match="A shard is a file in this folder"):
        run(params(math="org/math@main"), OUT)
    assert not [path for path in hub.fetched() if path.endswith(".safetensors")]


@pytest.mark.parametrize("kind", ["object", "truncated", "text", "empty"])
def test_no_message_advises_to_trust_a_pickle(kind: str, project: Path) -> None:
    """Whatever is wrong with a .bin file, torch's advice to load all of it is not passed on."""
    folder = project / "data/zoo/math"
    (folder / WEIGHTS).unlink()
    path = folder / "pytorch_model.bin"
    torch.save({"a": Path("x")} if kind == "object" else {"a": torch.ones(2)}, path)
    if kind in {"truncated", "empty"}:
        path.write_bytes(path.read_bytes()[: 60 if kind == "truncated" else 0])
    if kind == "text":
        path.write_text("not a pickle", encoding="utf-8")

    with pytest.raises(CheckpointError) as caught:
        run(params(), OUT)

    (line,) = str(caught.value).splitlines()
    assert "pytorch_model.bin" in line
    assert not any(word in line for word in ("weights_only", "allowlist", "safe_globals", "trust"))
