"""From the models that a file names to folders: on this machine, from the hub, with adapters."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from stages.checkpoint.reader import Checkpoint
from tests.flows.cli.test_merge_command import TIES, Q
from tests.flows.typed import merged, said_by
from tests.hub_server import HubServer


@pytest.mark.usefixtures("here")
def test_weights_are_hashed_once(here: Path) -> None:
    """The second merge takes the hash from the cache; a model that was changed is hashed again."""
    merged(TIES)
    (cache,) = (here.parent / "cache").iterdir()
    kept = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert 4 == len(kept)  # three models and the child
    for path in kept:
        path.write_text("0" * 64, encoding="ascii")
    said = said_by(merged(TIES, "--dry-run"))
    assert "child: 39 tensors" in said
    merged(TIES, out="again")
    card = Path("again/README.md").read_text(encoding="utf-8")
    assert f"- one (`{'0' * 64}`)" in card
    old = Checkpoint(Path("one"))
    tensors = {name: old.read(name).clone() for name in old.tensors}
    save_file({**tensors, Q: tensors[Q] + 1}, "one/model.safetensors")
    merged(TIES, out="changed")
    card = Path("changed/README.md").read_text(encoding="utf-8")
    assert f"- one (`{Checkpoint(Path('one')).hash()}`)" in card


@pytest.mark.usefixtures("here")
def test_an_adapter_is_applied() -> None:
    """model+lora is the model with scale x B A added, found again in the cache."""
    Path("lora").mkdir()
    generator = torch.Generator().manual_seed(3)
    down, up = torch.randn(2, 16, generator=generator), torch.randn(16, 2, generator=generator)
    prefix = f"base_model.model.{Q.removesuffix('.weight')}"
    pair = {f"{prefix}.lora_A.weight": down, f"{prefix}.lora_B.weight": up}
    save_file(pair, "lora/adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]}
    Path("lora/adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    text = "merge_method: passthrough\nmodels: [{model: base+lora}]"
    for out in ("out", "again"):
        merged(text, out=out)
        adapted = Checkpoint(Path(out)).read(Q)
        torch.testing.assert_close(adapted, Checkpoint(Path("base")).read(Q) + 2.0 * (up @ down))


@pytest.mark.usefixtures("here")
def test_a_model_comes_from_the_hub(
    llamas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ORG/NAME is fetched at its revision; with --offline what was fetched before is taken."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    text = "merge_method: passthrough\nmodels: [{model: org/one@%s}]"
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        commit = server.push("org/one", llamas / "one")
        server.push("org/one", llamas / "two")
        merged(text % commit)
        asked = len(server.requests)
        merged(text % commit, out="cached")
        assert 1 == len(server.requests) - asked  # which commit is it; no file is asked for
    assert Checkpoint(llamas / "one").hash() == Checkpoint(Path("out")).hash()
    assert f"org/one@{commit}" in Path("out/README.md").read_text(encoding="utf-8")
    merged(text % commit, "--offline", out="again")
    result = merged(text % "main", "--offline", out="never", code=1)
    assert "Run once without --offline" in result.stderr.replace("\n", " ")


@pytest.mark.usefixtures("here")
def test_what_was_fetched_by_branch_is_found_offline(
    llamas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ORG/NAME and a tag, as they were last fetched, with --offline and with HF_HUB_OFFLINE."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    text = "merge_method: passthrough\nmodels: [{model: %s}]"
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        one = shutil.copytree(llamas / "one", tmp_path / "one")
        (one / "README.md").write_text("never fetched", encoding="utf-8")
        commit = server.push("org/one", one, name="v1")
        merged(text % f"org/one@{commit}", out="pinned")
        server.push("org/one", llamas / "two")
        for number, name in enumerate(("org/one@v1", "org/one")):
            merged(text % name, out=f"online-{number}")
    merged(text % "org/one@v1", "--offline", out="tag")
    merged(text % "org/one", "--offline", out="branch")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    merged(text % "org/one", out="switch")
    result = merged(text % "org/two", out="never", code=1)
    assert Checkpoint(llamas / "one").hash() == Checkpoint(Path("tag")).hash()
    assert Checkpoint(llamas / "two").hash() == Checkpoint(Path("branch")).hash()
    assert Checkpoint(llamas / "two").hash() == Checkpoint(Path("switch")).hash()
    assert "HF_HUB_OFFLINE" in result.stderr


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("./oen", "no such folder. Did you mean 'one'?"),
        ("one@main", "is a folder, which has no revisions"),
        ("one+two", "two"),
        ("empty", "holds no config.json, so it is not a model. It holds: conversion.jsonl"),
    ],
)
@pytest.mark.usefixtures("here")
def test_models_that_are_not_there_aresaid_by(model: str, message: str) -> None:
    """The message names the file, the model, and what is next to it."""
    Path("empty").mkdir()
    Path("empty/conversion.jsonl").touch()  # not a config.json with another spelling
    text = f"merge_method: passthrough\nmodels: [{{model: {model}}}]"
    result = merged(text, code=1)
    assert message in result.stderr.replace("\n", " ")
    assert f"merge.yml: {model}" in result.stderr


@pytest.mark.usefixtures("here")
def test_a_name_that_no_repository_can_have_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's library refuses it before anything is sent, in a sentence of its own."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    result = merged("merge_method: passthrough\nmodels: [{model: org--x/one}]", code=1)
    assert "in repo_id: 'org--x/one'. Write ORG/NAME@REVISION. There is" in result.stderr


@pytest.mark.parametrize("cache", ["file/cache", "/proc/no-such-process/cache"])
def test_a_cache_that_cannot_be_written_stops_no_merge(
    here: Path, monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    """The child is as ever, and a note names the cache's folder and what to do."""
    (here / "file").write_text("in the way")
    text = "merge_method: passthrough\nmodels: [{model: one}]"
    merged(text, out="usual")
    monkeypatch.setenv("GERMLINE_CACHE", cache)
    said = merged(text, out="without").output.replace("\n", " ")
    for file in Path("usual").iterdir():
        assert file.read_bytes() == (Path("without") / file.name).read_bytes()
    assert 1 == said.count(f"note: {cache}: the cache of germline merge cannot be written")
    assert "Set GERMLINE_CACHE" in said


def test_a_conversion_needs_the_cache_and_blames_it(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One error names the cache's folder, not that of the merge."""
    torch.save(load_file("one/model.safetensors"), "one/pytorch_model.bin")
    Path("one/model.safetensors").unlink()
    (here / "file").write_text("in the way")
    monkeypatch.setenv("GERMLINE_CACHE", "file/cache")
    result = merged("merge_method: passthrough\nmodels: [{model: one}]", code=1)
    said = result.stderr.replace("\n", " ")
    assert f"{here}/file/cache: the cache of germline merge cannot be written" in said
    assert "Set GERMLINE_CACHE" in said
    assert not Path("out").exists()
