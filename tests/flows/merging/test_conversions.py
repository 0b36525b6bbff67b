"""Models that ``germline merge`` makes of pickled ones, in its cache."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from flows.merging.model_cache import Resolver
from flows.merging.weights_hashes import cache_folder
from stages.checkpoint.reader import Checkpoint
from stages.recipe.model_reference import ModelReference
from tests.flows.conftest import environment
from tests.flows.forked_command import started
from tests.flows.typed import merged

COPIED = [
    "chat_template.jinja",
    "chat_template.json",
    "additional_chat_templates/tools.jinja",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "tokenizer.json",
    "generation_config.json",
    "modeling_own.py",
]


@pytest.fixture
def pickled(here: Path) -> Path:
    """The model ``one`` with its weights in two pickled shards, and those of an older split."""
    folder = here / "one"
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    weight_map = {name: f"part-{number % 2}.bin" for number, name in enumerate(sorted(tensors))}
    for part in ("part-0.bin", "part-1.bin"):
        torch.save({n: tensors[n] for n in tensors if weight_map[n] == part}, folder / part)
    old = {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}
    torch.save(old, folder / "pytorch_model-00001-of-00001.bin")
    index = json.dumps({"weight_map": weight_map})
    (folder / "pytorch_model.bin.index.json").write_text(index, encoding="utf-8")
    return folder


def resolved(path: str = "one") -> Path:
    """Return the folder that a fresh resolver finds for a model."""
    return Resolver("merge.yml").folder(ModelReference(path))


def test_shards_are_read_by_their_index(pickled: Path, llamas: Path) -> None:
    """An older split is left out, and said to be, when merging and in a preview."""
    text = "merge_method: passthrough\nmodels: [{model: one}]"
    note = "note: one: left out pytorch_model-00001-of-00001.bin"
    for options in (("--dry-run",), ()):
        result = merged(text, *options)
        assert note in (result.stdout + result.stderr).replace("\n", " ")
    assert Checkpoint(llamas / "one").hash() == Checkpoint(Path("out")).hash()
    assert not list(Path("out").glob("*.bin"))
    assert (pickled / "part-0.bin").is_file()


@pytest.mark.parametrize("name", COPIED)
def test_a_conversion_is_made_again_when_a_copied_file_changes(name: str, pickled: Path) -> None:
    """The key of a conversion covers every file that is copied; unchanged, it is found again."""
    path = pickled / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}" if name.endswith("json") else "old", encoding="utf-8")
    before = resolved()
    assert resolved() == before
    path.write_text('{"a": 1}' if name.endswith("json") else "other", encoding="utf-8")

    after = resolved()

    assert after != before
    assert path.read_bytes() == (after / name).read_bytes()


def _unsupported(_: Path) -> None:
    raise NotImplementedError("as filelock says where the disk has no locks")


@pytest.mark.usefixtures("pickled")
@pytest.mark.parametrize("is_locked", [True, False])
def test_any_number_may_convert_at_once(is_locked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """All get one whole model and nothing is left over, where locks work and where they do not."""
    if not is_locked:
        monkeypatch.setattr("flows.merging.model_cache.FileLock", _unsupported)
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: resolved(), range(8)))

    (folder,) = folders
    assert Checkpoint(folder).tensors
    left = {path.name for path in (cache_folder() / "models").iterdir()}
    assert {folder.name} == {name for name in left if not name.endswith(".lock")}


@pytest.mark.usefixtures("pickled", "fork_server")
def test_processes_may_merge_one_pickled_model_at_once(
    llamas: Path, here: Path, tmp_path: Path
) -> None:
    """Four merges of it, each a process of its own, all succeed and give its weights."""
    text = "merge_method: passthrough\nmodels: [{model: one}]"
    Path("merge.yml").write_text(text, encoding="utf-8")
    logs = [tmp_path / f"{number}.log" for number in range(4)]
    processes = [
        started(["merge", "merge.yml", f"out-{number}"], here, environment(), log)
        for number, log in enumerate(logs)
    ]

    for process, log in zip(processes, logs, strict=True):
        process.join(timeout=240)
        assert 0 == process.exitcode, log.read_text(encoding="utf-8")

    expected = Checkpoint(llamas / "one").hash()
    assert [expected] * 4 == [Checkpoint(Path(f"out-{n}")).hash() for n in range(4)]
    left = [path.name for path in (cache_folder() / "models").iterdir()]
    assert 1 == len([name for name in left if not name.endswith(".lock")])
