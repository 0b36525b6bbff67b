"""Parents from a hub, through huggingface_hub itself and a server that speaks its protocol."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stages.errors import CheckpointError
from stages.hashing import file_hash
from tests.download.conftest import params, run
from tests.hub_server import HubServer

OUT = Path("data/parents")


def entry(name: str) -> dict[str, object]:
    """Return the manifest's entry of a model."""
    models = json.loads((OUT / "manifest.json").read_text(encoding="utf-8"))["models"]
    return next(dict(model) for model in models if model["name"] == name)


def entry_hash(name: str) -> str:
    """Return the SHA-256 of a model's weight file in the project."""
    return file_hash(OUT / name / "model.safetensors")


@pytest.mark.usefixtures("project")
def test_a_pinned_commit_is_fetched(hub: HubServer, pico: dict[str, Path]) -> None:
    """A commit gives that commit's bytes, though the branch has moved on."""
    commit = hub.push("org/math", pico["math"])
    hub.push("org/math", pico["lang"])

    run(params(math=f"org/math@{commit}"), OUT)

    assert commit == entry("math")["revision"]
    expected = file_hash(pico["math"] / "model.safetensors")
    assert expected == file_hash(OUT / "math/model.safetensors")


@pytest.mark.usefixtures("project")
def test_only_needed_files_are_asked_for(
    hub: HubServer, pico: dict[str, Path], tmp_path: Path
) -> None:
    """Pickled copies, training state and pictures of a repository are never transferred."""
    folder = shutil.copytree(pico["math"], tmp_path / "math")
    for name in ("pytorch_model.bin", "optimizer.pt", "picture.png", "consolidated.safetensors"):
        (folder / name).write_bytes(b"never read")
    commit = hub.push("org/math", folder)

    run(params(math=f"org/math@{commit}"), OUT)

    expected = sorted(path.name for path in pico["math"].iterdir())
    assert expected == sorted(hub.fetched())


@pytest.mark.usefixtures("project")
def test_a_pinned_parent_at_hand_needs_no_hub(hub: HubServer, pico: dict[str, Path]) -> None:
    """A second run on a commit asks the server nothing, and works when it is gone."""
    commit = hub.push("org/math", pico["math"])
    run(params(math=f"org/math@{commit}"), OUT)
    hub.stop()

    run(params(math=f"org/math@{commit}"), OUT)

    assert commit == entry("math")["revision"]


def cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let huggingface_hub write in small pieces and try again at once."""
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.mark.usefixtures("project")
def test_a_broken_transfer_is_resumed(
    hub: HubServer, pico: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the server cut the connection, the rest is asked for by range, and the bytes agree."""
    cut_short(monkeypatch)
    hub.push("org/math", pico["math"])
    hub.cut_after["model.safetensors"] = [5000]

    run(params(math="org/math@main"), OUT)

    ranges = [r.range for r in hub.requests if r.path.endswith("model.safetensors") and r.range]
    assert ["bytes=5000-"] == ranges
    assert file_hash(pico["math"] / "model.safetensors") == file_hash(
        OUT / "math/model.safetensors"
    )


@pytest.mark.usefixtures("project")
def test_files_fetched_before_a_failure_are_kept(
    hub: HubServer, pico: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the server goes on breaking off, one message says so, and the next run goes on."""
    cut_short(monkeypatch)
    hub.push("org/math", pico["math"])
    hub.cut_after["model.safetensors"] = [5000] + [0] * 40

    with pytest.raises(CheckpointError, match=r"broke off .* what was fetched is kept"):
        run(params(math="org/math@main"), OUT)
    assert not OUT.exists()
    hub.cut_after.clear()
    hub.requests.clear()
    run(params(math="org/math@main"), OUT)

    assert ["model.safetensors"] == hub.fetched()


@pytest.mark.usefixtures("project")
def test_the_token_is_sent_and_asked_for(
    hub: HubServer, pico: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private repository opens with HF_TOKEN; without it the message says to set it."""
    hub.push("org/math", pico["math"])
    hub.repos["org/math"].token = "hf_secret"  # noqa: S105 -- the test server's own
    with pytest.raises(CheckpointError, match=r"answered 401: .*set HF_TOKEN \(now not set\)"):
        run(params(math="org/math@main"), OUT)

    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    run(params(math="org/math@main"), OUT)

    assert "hf_secret" not in (OUT / "manifest.json").read_text(encoding="utf-8")


@pytest.mark.usefixtures("project")
def test_a_gated_repository_says_so(hub: HubServer, pico: dict[str, Path]) -> None:
    """A gated repository's message is about its terms."""
    hub.push("org/math", pico["math"])
    hub.repos["org/math"].token = "hf_secret"  # noqa: S105 -- the test server's own
    hub.repos["org/math"].is_gated = True

    with pytest.raises(CheckpointError, match=r"gated. Accept its terms"):
        run(params(math="org/math@main"), OUT)


@pytest.mark.usefixtures("project")
def test_missing_repository_and_revision_are_told_together(
    hub: HubServer, pico: dict[str, Path]
) -> None:
    """Each fault of the hub is one line that names its key and source."""
    hub.push("org/math", pico["math"])

    with pytest.raises(CheckpointError) as caught:
        run(params(a="org/nothing@main", b="org/math@v9"), OUT)

    first, second = str(caught.value).splitlines()
    assert first.startswith("params.yaml: download.parents.a: org/nothing@main: ")
    assert "no such repository" in first
    assert second.startswith("params.yaml: download.parents.b: org/math@v9: ")
    assert "no such revision" in second


@pytest.mark.usefixtures("project")
def test_a_server_that_is_gone_is_told_in_one_line(hub: HubServer) -> None:
    """Without a server there is one message, with its address."""
    hub.stop()

    with pytest.raises(CheckpointError, match=rf"{hub.url} does not answer") as caught:
        run(params(math="org/math@main"), OUT)
    assert 1 == len(str(caught.value).splitlines())


@pytest.mark.usefixtures("project")
def test_a_damaged_file_in_the_cache_is_fetched_again(
    hub: HubServer, pico: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is noticed by its SHA-256; without the hub the message names it."""
    commit = hub.push("org/math", pico["math"])
    run(params(math=f"org/math@{commit}"), OUT)
    shutil.rmtree(OUT)
    (cached,) = (tmp_path / "cache").glob(f"*/snapshots/{commit}/model.safetensors")
    data = bytearray(cached.read_bytes())
    data[-1] ^= 1
    cached.resolve().write_bytes(data)

    hub.requests.clear()

    run(params(math=f"org/math@{commit}"), OUT)

    assert ["model.safetensors"] == hub.fetched()
    assert file_hash(pico["math"] / "model.safetensors") == entry_hash("math")
    shutil.rmtree(OUT)
    cached.resolve().write_bytes(data)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match=r"model.safetensors has another SHA-256"):
        run(params(math=f"org/math@{commit}"), OUT)


@pytest.mark.usefixtures("project")
def test_a_wrong_architecture_costs_no_weights(
    hub: HubServer, pico: dict[str, Path], tmp_path: Path
) -> None:
    """A config that does not fit is refused before a weight file is asked for."""
    folder = shutil.copytree(pico["math"], tmp_path / "math")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 32}))
    hub.push("org/math", folder)

    with pytest.raises(CheckpointError, match="hidden_size is 32, the base's 16"):
        run(params(math="org/math@main"), OUT)
    assert "model.safetensors" not in hub.fetched()


@pytest.mark.usefixtures("project")
def test_pickled_weights_are_converted(
    hub: HubServer, pico: dict[str, Path], tmp_path: Path
) -> None:
    """A repository of .bin weights alone gives the same tensors in safetensors, and a note."""
    folder = shutil.copytree(pico["math"], tmp_path / "math")
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    buffer = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(2)}
    torch.save(tensors | buffer, folder / "pytorch_model.bin")
    hub.push("org/math", folder)

    run(params(math="org/math@main", same="zoo:lang"), OUT)

    converted = load_file(OUT / "math/model.safetensors")
    assert sorted(tensors) == sorted(converted)
    assert all(torch.equal(tensors[name], converted[name]) for name in tensors)
    assert "converted from pickled weights" in str(entry("math")["notes"])
    assert not list(OUT.rglob("*.bin"))


@pytest.mark.usefixtures("project")
def test_pickles_that_run_code_are_refused(
    hub: HubServer, pico: dict[str, Path], tmp_path: Path
) -> None:
    """A pickle that would call a function is refused unread."""

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (os.mkdir, (str(tmp_path / "exploded"),))

    folder = shutil.copytree(pico["math"], tmp_path / "math")
    (folder / "model.safetensors").unlink()
    torch.save({"model.norm.weight": Bomb()}, folder / "pytorch_model.bin")
    hub.push("org/math", folder)

    with pytest.raises(CheckpointError, match="cannot be read as plain weights"):
        run(params(math="org/math@main"), OUT)
    assert not (tmp_path / "exploded").exists()
