"""How model folders are made: which bytes are read, linked and copied, and what is recorded."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from stages.download.manifest import Parents, read_entries
from tests.download.conftest import params, run
from tests.hub_server import HubServer

OUT = Path("data/parents")
WEIGHTS = "model.safetensors"


class _Counting:
    """Counts what goes into SHA-256."""

    def __init__(self) -> None:
        self.num_bytes = 0
        self.sha256 = hashlib.sha256

    def __call__(self, data: bytes = b"") -> "_Counted":
        counted = _Counted(self)
        counted.update(data)
        return counted


class _Counted:
    def __init__(self, counting: _Counting) -> None:
        self._counting = counting
        self._digest = counting.sha256()

    def update(self, data: bytes | memoryview) -> None:
        self._counting.num_bytes += memoryview(data).nbytes
        self._digest.update(data)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


@pytest.mark.usefixtures("project")
def test_each_byte_is_hashed_once_as_file_and_once_as_tensor(
    hub: HubServer, pico: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first download hashes files once, and tensors for the weights hash; a second, files."""
    hub.push("org/base", pico["base"])
    hub.push("org/math", pico["math"])
    size = sum(p.stat().st_size for n in ("base", "math") for p in pico[n].iterdir())
    weights = sum((pico[name] / WEIGHTS).stat().st_size for name in ("base", "math"))
    counting = _Counting()
    monkeypatch.setattr("hashlib.sha256", counting)

    run(params(base="org/base@main", math="org/math@main"), OUT)

    assert counting.num_bytes <= size + weights + 8000  # and the JSON of two weights hashes
    counting.num_bytes = 0
    run(params(base="org/base@main", math="org/math@main"), OUT)
    assert counting.num_bytes <= size


@pytest.mark.usefixtures("project")
def test_weights_are_linked_from_the_cache_and_copied_from_folders(
    hub: HubServer, pico: dict[str, Path], tmp_path: Path
) -> None:
    """The hub's files, into which nobody writes, take no second place; a user's own are copied."""
    commit = hub.push("org/math", pico["math"])

    run(params(math=f"org/math@{commit}", lang="./data/zoo/lang"), OUT)

    (blob,) = (tmp_path / "cache").glob(f"*/snapshots/{commit}/{WEIGHTS}")
    assert (OUT / "math" / WEIGHTS).samefile(blob)
    assert not (OUT / "math/config.json").samefile(blob.with_name("config.json"))
    assert not (OUT / "lang" / WEIGHTS).samefile(Path("data/zoo/lang") / WEIGHTS)


@pytest.mark.usefixtures("project")
def test_another_disk_gets_a_copy(
    hub: HubServer, pico: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk makes no link, the weights are copied."""

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    hub.push("org/math", pico["math"])

    run(params(math="org/math@main"), OUT)

    assert (pico["math"] / WEIGHTS).read_bytes() == (OUT / "math" / WEIGHTS).read_bytes()


def card(folder: Path, text: str) -> Path:
    """Write the front matter of a model's card."""
    (folder / "README.md").write_text(f"---\n{text}\n---\n# A model\n", encoding="utf-8")
    return folder


@pytest.mark.usefixtures("project")
def test_licences_are_recorded_and_conflicts_said(
    hub: HubServer, pico: dict[str, Path], tmp_path: Path
) -> None:
    """The manifest has what each card says; notes name the models that differ or say nothing."""
    math = card(shutil.copytree(pico["math"], tmp_path / "math"), "license: mit")
    lang = card(
        shutil.copytree(pico["lang"], tmp_path / "lang"),
        "license: other\nlicense_name: Gemma\nlicense_link: https://example.org/terms",
    )
    hub.push("org/base", pico["base"])
    hub.push("org/math", math)
    hub.push("org/lang", lang)

    notes = run(params("org/base@main", math="org/math@main", lang="org/lang@main"), OUT)

    licences = {entry.name: entry.licence for entry in read_entries(OUT)}
    expected = {"base": None, "math": "mit", "lang": "gemma, https://example.org/terms"}
    assert expected == licences
    assert any("No licence is known of base: no card names one." in note for note in notes)
    assert any("Licences differ" in note and "math: mit" in note for note in notes)


def adapter(folder: Path) -> Path:
    """Write a small LoRA for the pico models."""
    folder.mkdir()
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    pair = {f"{name}.lora_A.weight": torch.ones(2, 16), f"{name}.lora_B.weight": torch.ones(16, 2)}
    save_file(pair, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("is_licensed", [True, False])
def test_an_adapters_licence_counts(
    is_licensed: bool, hub: HubServer, pico: dict[str, Path], tmp_path: Path
) -> None:
    """A model with an adapter has both licences, or none that is known; both places are named."""
    math = card(shutil.copytree(pico["math"], tmp_path / "math"), "license: mit")
    lora = adapter(tmp_path / "lora")
    if is_licensed:
        card(lora, "license: apache-2.0")
    model, change = hub.push("org/math", math), hub.push("org/lora", lora)

    run(params(math="org/math@main+org/lora@main"), OUT)

    entry = read_entries(OUT)[1]
    assert ("apache-2.0 and mit" if is_licensed else None) == entry.licence
    assert f"org/math@{model}+org/lora@{change}" == entry.model.source


@pytest.mark.usefixtures("project")
def test_an_older_manifest_is_read() -> None:
    """A manifest of version 1 has no licences; its models are kept."""
    run(params(), OUT)
    path = OUT / "manifest.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    for model in data["models"]:
        del model["licence"]
    path.write_text(json.dumps({**data, "version": 1}), encoding="utf-8")
    before = (OUT / "math" / WEIGHTS).stat().st_ino

    assert [None, None] == [entry.licence for entry in Parents.read(OUT).entries]
    run(params(), OUT)

    assert before == (OUT / "math" / WEIGHTS).stat().st_ino
    assert load_file(OUT / "math" / WEIGHTS)
