"""A cache that several users share: the index lets them in as DVC's own objects do."""

import os
from pathlib import Path

import pytest

from stages.errors import LineageError
from stages.hashing import content_hash
from stages.store.candidate_store import CandidateStore
from tests.store.test_candidate_store import store as _store

KEY = content_hash("key")
store = _store


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return path.stat().st_mode & 0o7777


def index_paths(store: CandidateStore) -> tuple[Path, Path, Path]:
    """Return the index, the folder and the file of ``KEY``."""
    index = store.root / ".dvc/cache/candidates"
    return index, index / KEY[:2], index / KEY[:2] / f"{KEY}.json"


def test_index_of_a_shared_cache_is_open_to_the_group(store: CandidateStore) -> None:
    """Folders have DVC's 2775, files 664, whatever the umask; a closed folder is opened."""
    with (store.root / ".dvc/config.local").open("w") as config:
        config.write("[cache]\n    shared = group\n")
    index, folder, file = index_paths(store)
    index.mkdir(parents=True, mode=0o700)
    before = os.umask(0o077)
    try:
        record = store.put_json(KEY, {"a": 1})
    finally:
        os.umask(before)

    assert [0o2775, 0o2775, 0o664] == [mode(index), mode(folder), mode(file)]
    dvc_folder = store.root / ".dvc/cache/files/md5" / record.md5[:2]
    assert mode(dvc_folder) == mode(folder)


def test_index_of_a_users_own_cache_follows_the_umask(store: CandidateStore) -> None:
    """Nobody is let in who was not asked."""
    before = os.umask(0o077)
    try:
        store.put_json(KEY, {"a": 1})
    finally:
        os.umask(before)

    assert [0o700, 0o700, 0o600] == [mode(path) for path in index_paths(store)]


def test_a_store_that_cannot_be_written_says_why(store: CandidateStore) -> None:
    """One line names the file, the reason and what to do; it is found before any work, too."""
    index, _, _ = index_paths(store)
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_text("in the way of a folder")

    for attempt in (store.check_writable, lambda: store.put_json(KEY, {"a": 1})):
        with pytest.raises(LineageError) as caught:
            attempt()
        said = str(caught.value)
        assert said.startswith("store: cannot be written: ")
        assert "candidates" in said
        assert "Remove the cause and run the same command again." in said
        assert 1 == len(said.splitlines())
