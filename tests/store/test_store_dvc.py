"""The store next to DVC's own commands: what DVC tracks travels, what it collects is a miss."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.cli import main

from stages.errors import LineageError
from stages.hashing import content_hash
from stages.store.candidate_store import CandidateStore, Record
from stages.store.dvc_project import tracked_rows

ROOT = Path(__file__).parents[2]
TRACKED = Path("data/lineage/store.jsonl")

DVC_YAML = """\
stages:
  evolve:
    cmd: python evolve.py
    deps: [evolve.py]
    params: [seed]
    outs: [data/lineage, data/kept]
"""
# A small evolve: three evaluations and one kept folder, by way of the store.
EVOLVE = """\
import json, shutil, sys
from pathlib import Path
from stages.hashing import content_hash
from stages.store.candidate_store import CandidateStore
from stages.store.dvc_project import tracked_rows

seed = json.loads(Path("params.json").read_text())["seed"]
out, store = Path("data/lineage"), CandidateStore()
new = store.hydrate(tracked_rows(out / "store.jsonl"))
records, computed = [], 0
for key in (content_hash(["evaluation", seed, i]) for i in range(3)):
    record = store.find(key)
    if record is None:
        record, computed = store.put_json(key, {"key": key, "items": [0.5] * 100}), computed + 1
    records.append(record)
weights = content_hash(["weights", seed])
if store.find(weights) is None:
    folder = Path(".scratch/model")
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"w" * 1000 + bytes([seed]))
    (folder / "config.json").write_text("{}")
    store.put_folder(weights, folder)
    shutil.rmtree(folder)
store.checkout(store.find(weights), Path("data/kept/model"))
for record in records:
    store.checkout(record, out / "items" / f"{record.key}.json")
lines = [json.dumps(row, sort_keys=True) + "\\n" for row in store.export(records)]
(out / "store.jsonl").write_text("".join(lines))
print(f"hydrated {new}, computed {computed}")
"""


Dvc = Callable[..., str]


@pytest.fixture
def dvc(capfd: pytest.CaptureFixture[str]) -> Dvc:
    """What runs DVC here and returns what it printed."""

    def run(*arguments: str) -> str:
        capfd.readouterr()
        code = main([*arguments])
        printed = capfd.readouterr()
        assert 0 == code, printed.out + printed.err
        return printed.out

    return run


def _git(*arguments: str) -> None:
    """Run git here as somebody."""
    name = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *name, *arguments], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dvc: Dvc) -> Path:
    """Return a project with a remote, a stage that uses the store, and a first commit."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    _git("init", "--quiet")
    shutil.copytree(ROOT / ".dvc", ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    shutil.copy(ROOT / ".gitignore", ".gitignore")
    Path("dvc.yaml").write_text(DVC_YAML.replace("[seed]", "[{params.json: [seed]}]"))
    Path("evolve.py").write_text(EVOLVE)
    Path("params.json").write_text('{"seed": 1}\n')
    dvc("remote", "add", "--default", "store", str(tmp_path / "remote"))
    _git("add", "--all")
    _git("commit", "--quiet", "--message", "start")
    return folder


def _keys(seed: int) -> list[str]:
    """Return the keys of a seed's evaluations."""
    return [content_hash(["evaluation", seed, i]) for i in range(3)]


def _found(store: CandidateStore, seed: int) -> list[Record]:
    """Return what is found of a seed's evaluations."""
    return [record for key in _keys(seed) if (record := store.find(key))]


def test_a_clone_that_pulls_finds_everything(project: Path, tmp_path: Path, dvc: Dvc) -> None:
    """What the lineage tracks travels by push and pull; a forced rerun there computes nothing."""
    assert "hydrated 0, computed 3" in dvc("repro")
    assert "hydrated 0, computed 0" in dvc("repro", "--force")
    for record in _found(CandidateStore(), 1):
        tracked = Path("data/lineage/items", f"{record.key}.json")
        cached = project / ".dvc/cache/files/md5" / record.md5[:2] / record.md5[2:]
        assert tracked.read_bytes() == cached.read_bytes()
    lock = Path("dvc.lock").read_bytes()
    dvc("push")
    _git("add", "--all")
    _git("commit", "--quiet", "--message", "run")
    _git("clone", "--quiet", str(project), str(tmp_path / "clone"))
    os.chdir(tmp_path / "clone")
    dvc("pull")

    assert [] == _found(CandidateStore(), 1)
    assert "hydrated 3, computed 0" in dvc("repro", "--force")
    assert lock == Path("dvc.lock").read_bytes()
    assert "up to date" in dvc("status")


@pytest.mark.usefixtures("project")
def test_dvc_leaves_what_was_checked_out(dvc: Dvc) -> None:
    """`dvc checkout` removes links that it has in a list and that no stage has: ours are not."""
    store, path = CandidateStore(), Path("mine.json")
    store.checkout(store.put_json(content_hash(1), [1]), path)
    dvc("checkout", "--allow-missing")

    assert "[1]\n" == path.read_text(encoding="utf-8")


@pytest.mark.usefixtures("project")
def test_gc_keeps_what_is_tracked(dvc: Dvc) -> None:
    """After `dvc gc -w` the last run's records and kept weights are found, and no others."""
    store = CandidateStore()
    dvc("repro")
    Path("params.json").write_text('{"seed": 2}\n')
    dvc("repro")
    assert (3, 3) == (len(_found(store, 1)), len(_found(store, 2)))
    dvc("gc", "--workspace", "--force")

    assert (0, 3) == (len(_found(store, 1)), len(_found(store, 2)))
    assert store.find(content_hash(["weights", 1])) is None
    kept = store.find(content_hash(["weights", 2]))
    assert kept is not None
    store.checkout(kept, Path(".scratch/again"))
    assert b"w" * 1000 + bytes([2]) == Path(".scratch/again/model.safetensors").read_bytes()
    assert "hydrated 0, computed 0" in dvc("repro", "--force")


def test_a_temporary_experiment_shares_the_cache(project: Path, dvc: Dvc) -> None:
    """`dvc exp run --temp` puts into the project's cache, from a workspace of its own."""
    dvc("exp", "run", "--temp", "--set-param", "params.json:seed=3")

    assert 3 == len(_found(CandidateStore(project), 3))
    assert not Path("data/lineage").exists()


@pytest.mark.usefixtures("project")
def test_untracked_records_can_be_pushed_and_fetched(dvc: Dvc) -> None:
    """Push sends what no stage tracks, folders with all their files; fetch brings it back."""
    store = CandidateStore()
    folder = Path(".scratch/one")
    folder.mkdir(parents=True)
    (folder / "weights").write_text("w")
    (folder / "config.json").write_text("{}")
    records = [store.put_folder(content_hash(1), folder), store.put_json(content_hash(2), [2])]

    assert 4 == store.push(records)
    assert 0 == store.push(records)
    dvc("gc", "--workspace", "--force")
    assert (None, None) == (store.find(content_hash(1)), store.find(content_hash(2)))
    assert store.fetch(records) >= 3  # the list of the folder's files is made, not fetched
    assert records == [store.find(content_hash(1)), store.find(content_hash(2))]


@pytest.mark.usefixtures("project")
def test_rows_are_read_from_what_is_tracked(tmp_path: Path, dvc: Dvc) -> None:
    """The tracked file is read though the workspace lacks it; where there is none, no rows."""
    assert [] == tracked_rows(TRACKED)
    dvc("repro")
    rows = [json.loads(line) for line in TRACKED.read_text().splitlines()]
    shutil.rmtree("data/lineage")

    assert rows == tracked_rows(TRACKED)
    shutil.rmtree(".dvc/cache/files")
    assert [] == tracked_rows(TRACKED)
    assert not (tmp_path / "remote").exists()


def test_without_a_remote_push_says_so(project: Path, dvc: Dvc) -> None:
    """To push where no remote is set is an error that names the remedy."""
    dvc("remote", "remove", "store")
    store = CandidateStore(project)

    with pytest.raises(LineageError, match="dvc remote add"):
        store.push([store.put_json(content_hash(1), [1])])


@pytest.mark.usefixtures("project")
def test_a_clone_with_a_lock_and_no_cache_has_no_rows(dvc: Dvc) -> None:
    """Git brings dvc.lock, but not what it names: nothing is known then, and nothing fails."""
    dvc("remote", "remove", "store")
    dvc("repro")
    for folder in ("data/lineage", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(folder)

    assert [] == tracked_rows(TRACKED)
