"""What a run has used is written at its end, whatever became of the store meanwhile."""

import shutil
from pathlib import Path

import pytest

from flows.execution.used_records import UsedRecords
from stages.errors import LineageError
from stages.hashing import content_hash
from stages.store.candidate_store import CandidateStore

KEYS = [content_hash(number) for number in range(3)]


@pytest.fixture
def used(store: CandidateStore) -> UsedRecords:
    """Three records, each with a document of its own."""
    used = UsedRecords(store)
    for key in KEYS:
        document = {"key": key}
        used.add(store.put_json(key, document, note="kept"), document)
    return used


@pytest.mark.parametrize("lost", ["files/md5/*/*", "*/*/*.json"])
def test_lost_documents_are_written_again(used: UsedRecords, lost: str) -> None:
    """The files and the records are those of an undisturbed run, byte by byte."""
    for name in ("before", "after"):
        for record in used.all():
            used.check_out(record, Path(name, record.key))
        for path in Path(".dvc/cache").rglob(lost):  # as `dvc gc` does, folders stay
            path.unlink()

    assert sorted(KEYS) == [record.key for record in used.all()]
    for key in KEYS:
        assert Path("before", key).read_bytes() == Path("after", key).read_bytes()


def test_a_cache_that_is_removed_is_made_again(store: CandidateStore, used: UsedRecords) -> None:
    """Its folders, too: new documents and those of before are stored and written."""
    shutil.rmtree(".dvc/cache")

    for key in KEYS:
        store.put_json(content_hash(["later", key]), {"key": key})
    for record in used.all():
        used.check_out(record, Path("after", record.key))

    assert sorted(KEYS) == sorted(path.name for path in Path("after").iterdir())


def test_a_store_that_takes_nothing_ends_it(store: CandidateStore, used: UsedRecords) -> None:
    """After three tries the store's own error is raised."""
    shutil.rmtree(".dvc/cache/files")
    Path(".dvc/cache/files").write_text("in the way")
    assert store.root

    with pytest.raises(LineageError):
        used.check_out(used.all()[0], Path("after"))
