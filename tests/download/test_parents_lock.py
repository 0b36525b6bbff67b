"""parents.lock: branches are fetched at the commit that git keeps, until somebody moves it."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from stages.download import parents_lock
from stages.download.sources.model_requests import requests
from stages.errors import CheckpointError, ParamsError
from tests.download.conftest import make_model, params, run
from tests.hub_server import HubServer

OUT = Path("data/parents")
BRANCH = params(math="org/math@main")


def locked() -> dict[str, str]:
    """Return what the lock holds."""
    return dict(yaml.safe_load(Path("parents.lock").read_text(encoding="utf-8"))["commits"])


def revision(name: str = "math") -> str:
    """Return the commit that the manifest records of a model."""
    models = json.loads((OUT / "manifest.json").read_text(encoding="utf-8"))["models"]
    return str(next(m["revision"] for m in models if m["name"] == name))


def moves(notes: tuple[str, ...]) -> list[str]:
    """Return those notes that are on branches."""
    return [note for note in notes if "has moved" in note]


def forget(cache: Path) -> None:
    """Remove what git does not keep: the fetched models and the hub's cache."""
    shutil.rmtree(OUT)
    shutil.rmtree(cache)


@pytest.mark.usefixtures("project")
def test_a_moved_branch_is_said_and_not_followed(
    hub: HubServer, pico: dict[str, Path], tmp_path: Path
) -> None:
    """A fresh clone fetches the locked commit; a note names the branch and both commits."""
    first = hub.push("org/math", pico["math"])
    assert [] == moves(run(BRANCH, OUT))
    assert {"org/math@main": first} == locked()
    second = hub.push("org/math", pico["lang"])
    manifest = (OUT / "manifest.json").read_bytes()

    notes = [moves(run(BRANCH, OUT))]  # the models are there
    forget(tmp_path / "cache")
    notes.append(moves(run(BRANCH, OUT)))

    assert notes[0] == notes[1]
    (note,) = notes[0]
    assert all(word in note for word in ("org/math@main has moved", first, second, "--update"))
    assert manifest == (OUT / "manifest.json").read_bytes()
    assert first == revision()


@pytest.mark.usefixtures("project")
def test_update_moves_the_lock_and_the_next_run_follows(
    hub: HubServer, pico: dict[str, Path]
) -> None:
    """An update fetches no weights; it says from where to where each branch moved."""
    first = hub.push("org/math", pico["math"])
    tag = hub.push("org/lang", pico["lang"], name="v1")
    both = params(math="org/math@main", lang="org/lang@v1")
    run(both, OUT)
    moved = make_model(OUT.parent / "moved", seed=7)
    second = hub.push("org/math", moved)
    hub.requests.clear()

    sentences = parents_lock.update(requests(both, OUT))

    assert [] == hub.fetched()
    assert f"org/lang@v1: still at {tag}" in sentences
    assert f"org/math@main: moved from {first} to {second}" in sentences
    assert [] == moves(run(both, OUT))
    assert (second, tag) == (revision(), revision("lang"))
    run(params(lang="org/lang@v1"), OUT)
    assert {"org/lang@v1": tag} == locked()


@pytest.mark.usefixtures("project")
def test_a_lock_that_is_lost_is_made_from_what_was_fetched(
    hub: HubServer, pico: dict[str, Path]
) -> None:
    """Models that are there, from before locks, keep their commit though the branch has moved."""
    first = hub.push("org/math", pico["math"])
    run(BRANCH, OUT)
    hub.push("org/math", pico["lang"])
    Path("parents.lock").unlink()

    (note,) = run(BRANCH, OUT)

    assert "has moved" in note
    assert {"org/math@main": first} == locked()
    assert first == revision()


@pytest.mark.usefixtures("project")
def test_models_that_are_here_need_no_lock() -> None:
    """Zoo models, folders and commits leave a lock without entries, written once."""
    run(params(math="zoo:math"), OUT)
    before = Path("parents.lock").stat()

    run(params(math="zoo:math", lang="./data/zoo/lang"), OUT)

    assert {} == locked()
    after = Path("parents.lock").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<<<<<<< HEAD\ncommits: {a@b: c}\n", "not valid YAML"),
        ("commits: {org/math@main: 0123abc}\n", "'0123abc' is not a commit, which has 40"),
        ("[]\n", "must hold the mapping `commits`, and `runs`"),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_damaged_lock_is_refused(text: str, message: str) -> None:
    """A conflict of git, a short commit or another file is an error that says what to do."""
    Path("parents.lock").write_text(text, encoding="utf-8")

    with pytest.raises(ParamsError, match=message) as caught:
        run(BRANCH, OUT)
    assert "--update" in str(caught.value)


@pytest.mark.parametrize("is_offline", [True, False])
@pytest.mark.usefixtures("project")
def test_a_commit_in_the_cache_needs_no_hub(
    hub: HubServer,
    pico: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_offline: bool,
) -> None:
    """Locked and pinned parents whose files the cache holds are taken from it, bytes checked."""
    hub.push("org/math", pico["math"])
    commit = hub.push("org/lang", shutil.copytree(pico["lang"], OUT.parent / "lang"))
    wanted = params(math="org/math@main", lang=f"org/lang@{commit}")
    run(wanted, OUT)
    manifest = (OUT / "manifest.json").read_bytes()
    shutil.rmtree(OUT)
    if is_offline:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    else:
        hub.stop()

    run(wanted, OUT)

    assert manifest == (OUT / "manifest.json").read_bytes()


@pytest.mark.usefixtures("project")
def test_a_part_of_a_commit_is_not_enough(
    hub: HubServer, pico: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the hub, what the cache lacks is named, and nobody is told to go online."""
    commit = hub.push("org/math", pico["math"])
    run(params(math=f"org/math@{commit}"), OUT)
    shutil.rmtree(OUT)
    (weights,) = (tmp_path / "cache").glob(f"*/snapshots/{commit}/model.safetensors")
    weights.unlink()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(CheckpointError, match=r"cache lacks model\.safetensors") as caught:
        run(params(math=f"org/math@{commit}"), OUT)
    assert "HF_HUB_OFFLINE is set" in str(caught.value)
    assert "Unset" not in str(caught.value)
    with pytest.raises(CheckpointError, match="same HF_HOME"):
        run(params(math="org/other@main"), OUT)
