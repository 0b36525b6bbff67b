"""The candidate store: what is found is what was put, whatever happens to the cache meanwhile."""

import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from logging.handlers import QueueHandler
from multiprocessing import get_context
from pathlib import Path
from queue import SimpleQueue

import pytest

from stages.errors import LineageError
from stages.hashing import content_hash
from stages.store.candidate_store import CandidateStore, Record, evaluation_key

KEY, OTHER = content_hash("key"), content_hash("other")
ROOT = Path(__file__).parents[2]

# Puts folders for as long as it lives; the parent kills it.
PUT_FOR_EVER = """
import itertools, os, sys
from pathlib import Path
from stages.hashing import content_hash
from stages.store.candidate_store import CandidateStore
store = CandidateStore()
for i in itertools.count(int(sys.argv[1])):
    folder = Path(".scratch", f"killed-{i}")
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(os.urandom(1 << 20))
    (folder / "config.json").write_text(str(i))
    store.put_folder(content_hash(i), folder)
    store.put_json(content_hash([i]), [i] * 10000)
    print(i, flush=True)
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CandidateStore:
    """Return the store of a new project under germline's own DVC settings."""
    project = tmp_path / "project"
    project.mkdir()
    subprocess.run(["git", "init", "--quiet", project], check=True)
    shutil.copytree(ROOT / ".dvc", project / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    monkeypatch.chdir(project)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return CandidateStore()


def _folder(store: CandidateStore, name: str, text: str) -> Path:
    """Return a new folder of two files in the project's scratch."""
    folder = store.root / ".scratch" / name
    (folder / "sub").mkdir(parents=True)
    (folder / "weights").write_text(text)
    (folder / "sub" / "config.json").write_text("{}")
    return folder


def _object(store: CandidateStore, md5: str) -> Path:
    """Return an object's place in DVC's cache."""
    return store.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def _damage(path: Path) -> None:
    """Write into a cached file in place, as a careless user of a hard link would."""
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    path.chmod(0o444)
    os.utime(path, (1, 1))


def _put_both(store: CandidateStore, number: int) -> tuple[Record, Record]:
    """Put a document of its own and a document that everyone puts."""
    own = store.put_json(content_hash(["own", number]), {"number": number})
    same = store.put_json(content_hash(["same", number]), {"number": "any"})
    return own, same


def test_a_document_comes_back_equal(store: CandidateStore) -> None:
    """A document is found under its key, with its meta, and under no other."""
    record = store.put_json(KEY, {"b": [1, 0.1, None], "a": "é"}, split="search")

    assert record == store.find(KEY)
    assert {"b": [1, 0.1, None], "a": "é"} == store.read_json(record)
    assert {"split": "search"} == record.meta
    assert store.find(OTHER) is None


def test_a_folder_comes_back_in_place_of_what_was_there(store: CandidateStore) -> None:
    """A checkout has the files that were put and no others; no .gitignore is edited."""
    record = store.put_folder(KEY, _folder(store, "one", "first"), weights_hash="ff")
    out = Path("data/kept/one")
    out.mkdir(parents=True)
    (out / "stale").write_text("old")
    store.checkout(record, out)

    files = {p.relative_to(out).as_posix(): p.read_text() for p in out.rglob("*") if p.is_file()}
    assert {"weights": "first", "sub/config.json": "{}"} == files
    assert "ff" == record.meta["weights_hash"]
    assert [store.root / ".dvc/.gitignore"] == list(store.root.rglob(".gitignore"))


def test_a_checked_out_file_takes_no_room(store: CandidateStore) -> None:
    """Where the disk has hard links but no reflinks, a checked out file is the cached one."""
    (store.root / ".dvc/config.local").write_text("[cache]\n    type = hardlink\n")
    record = store.put_json(KEY, "x" * 4096)
    out = Path("data/items/one.json")
    store.checkout(record, out)

    assert _object(store, record.md5).samefile(out)
    assert 0o444 == out.stat().st_mode & 0o777
    assert "x" * 4096 == json.loads(out.read_text())


def test_a_folder_that_was_put_stays_the_callers(store: CandidateStore) -> None:
    """To write into a folder after it was put changes nothing in the store."""
    folder = _folder(store, "one", "first")
    record = store.put_folder(KEY, folder)
    (folder / "weights").write_text("later")

    assert store.verify(record)
    assert record == store.find(KEY)


def test_equal_content_is_kept_once(store: CandidateStore) -> None:
    """Two keys of equal content share its objects."""
    first = store.put_folder(KEY, _folder(store, "one", "same"))
    second = store.put_folder(OTHER, _folder(store, "two", "same"))

    assert first.md5 == second.md5
    assert first.members == second.members
    assert 3 == len([p for p in (store.root / ".dvc/cache/files").rglob("*") if p.is_file()])


def test_a_lost_object_is_a_miss(store: CandidateStore) -> None:
    """A key whose objects were collected is not found; to put it again brings it back."""
    folder = _folder(store, "one", "first")
    record, document = store.put_folder(KEY, folder), store.put_json(OTHER, [1])
    _object(store, next(m.md5 for m in record.members or () if m.path == "weights")).unlink()
    _object(store, document.md5).unlink()

    assert (None, None) == (store.find(KEY), store.find(OTHER))
    with pytest.raises(LineageError, match="gone or was damaged"):
        store.read_json(document)
    assert store.put_folder(KEY, folder) == store.find(KEY)


def test_damage_is_a_miss_and_is_repaired(store: CandidateStore) -> None:
    """A cached file that was written to is never handed out; to put it again repairs it."""
    folder = _folder(store, "one", "first")
    record, document = store.put_folder(KEY, folder), store.put_json(OTHER, [1])
    weights = _object(store, next(m.md5 for m in record.members or () if m.path == "weights"))
    for path in (weights, _object(store, document.md5)):
        _damage(path)

    with pytest.raises(LineageError, match="gone or was damaged"):
        store.read_json(document)
    with pytest.raises(LineageError, match="gone or was damaged"):
        store.checkout(record, Path("data/one"))
    assert (None, None) == (store.find(KEY), store.find(OTHER))
    assert store.verify(store.put_folder(KEY, folder))
    assert [1] == store.read_json(store.put_json(OTHER, [1]))


def test_a_document_with_another_number_in_it_is_damaged(store: CandidateStore) -> None:
    """It is JSON as before; its hash alone tells."""
    document = store.put_json(KEY, {"score": 1})
    path = _object(store, document.md5)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))

    assert store.document(document) is None
    assert store.find(KEY) is None


def test_put_repairs_a_damaged_object(store: CandidateStore) -> None:
    """Content that meets a damaged copy of itself in the cache replaces it."""
    folder = _folder(store, "one", "first")
    record = store.put_folder(KEY, folder)
    _damage(_object(store, next(m.md5 for m in record.members or () if m.path == "weights")))

    assert store.verify(store.put_folder(KEY, folder))


def test_verify_reads_every_byte(store: CandidateStore) -> None:
    """Damage that leaves no trace in size and time is found by verify, and repaired after it."""
    record = store.put_folder(KEY, _folder(store, "one", "first"))
    path = _object(store, next(m.md5 for m in record.members or () if m.path == "weights"))
    before = path.stat()
    _damage(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert not store.verify(record)
    assert store.find(KEY) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"key": 1}'])
def test_a_torn_index_entry_is_a_miss(store: CandidateStore, text: str) -> None:
    """An index entry that cannot be read is not an entry."""
    store.put_json(KEY, [1])
    next((store.root / ".dvc/cache/candidates").rglob(f"{KEY}.json")).write_text(text)

    assert store.find(KEY) is None


@pytest.mark.parametrize(
    "change",
    [
        {"key": "../../etc"},
        {"md5": "../../../../etc/passwd"},
        {"files": [["../../evil", "0" * 32, 1]]},
        {"files": [["/evil", "0" * 32, 1]]},
        {"files": 3},
        {"size": "big"},
    ],
)
def test_a_row_that_export_did_not_make_is_refused(
    store: CandidateStore, change: dict[str, object]
) -> None:
    """No row of a tracked file leads outside the cache or the folder it is checked out to."""
    [row] = store.export([store.put_json(KEY, [1])])

    with pytest.raises(LineageError, match=r"not a record|invalid literal") as caught:
        store.hydrate([row | change])
    assert 'Error("' not in str(caught.value)


def test_what_cannot_be_stored_is_refused(store: CandidateStore, tmp_path: Path) -> None:
    """Empty folders, folders outside the project and malformed keys are errors that say so."""
    outside = tmp_path / "outside"
    outside.mkdir()
    with pytest.raises(LineageError, match="no files there"):
        store.put_folder(KEY, outside)
    (outside / "file").write_text("x")
    with pytest.raises(LineageError, match="outside the project"):
        store.put_folder(KEY, outside)
    with pytest.raises(LineageError, match="64 hex digits"):
        store.put_json("short", 1)
    with pytest.raises(LineageError, match="not in a DVC project"):
        CandidateStore(tmp_path)
    with pytest.raises(LineageError, match="Use checkout"):
        store.read_json(store.put_folder(KEY, _folder(store, "one", "first")))


def test_evaluation_keys_differ_by_recipe_and_suite() -> None:
    """An evaluation's key tells recipe and suite apart, and is never a recipe's id."""
    keys = {evaluation_key("a", "b"), evaluation_key("b", "a"), evaluation_key("a", "c"), "a"}

    assert 4 == len(keys)


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_four_may_put_at_once(store: CandidateStore, kind: str) -> None:
    """Puts from four threads or four processes, of equal and of other content, all succeed."""
    pool: Executor = ThreadPoolExecutor(4)
    if kind == "processes":
        pool = ProcessPoolExecutor(4, mp_context=get_context("spawn"))
    with pool:
        results = list(pool.map(_put_both, [store] * 40, range(40)))

    assert len({own.md5 for own, _ in results}) == len(results)
    assert 1 == len({same.md5 for _, same in results})
    for record in (r for pair in results for r in pair):
        assert record == store.find(record.key)
        assert store.verify(record)


def test_a_kill_leaves_no_broken_record(store: CandidateStore) -> None:
    """After kill -9 at several moments, whatever is found is whole, and puts go on."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PUT_FOR_EVER]
    for start in (0, 1000, 2000):
        child = subprocess.Popen(
            [*command, str(start)], env=environment, stdout=subprocess.PIPE, text=True
        )
        if child.stdout is None or not child.stdout.readline():
            pytest.fail("the child put nothing")
        time.sleep(0.05 + start / 1e5)
        child.kill()
        child.communicate()

    entries = list((store.root / ".dvc/cache/candidates").rglob(f"{'?' * 64}.json"))
    records = [store.find(path.stem) for path in entries]
    assert len(entries) >= 6
    assert all(record is not None and store.verify(record) for record in records)
    assert [7] == store.read_json(store.put_json(KEY, [7]))


def test_what_cannot_be_written_is_an_error(store: CandidateStore) -> None:
    """Where DVC cannot write an object, put raises and no key is entered."""
    store.put_json(OTHER, [1])
    cache = store.root / ".dvc/cache/files/md5"
    shutil.rmtree(cache)
    cache.write_text("a file where DVC wants a folder")

    with pytest.raises((LineageError, OSError)):
        store.put_json(KEY, [2])
    assert store.find(KEY) is None


@pytest.fixture
def transfers() -> Iterator[SimpleQueue[logging.LogRecord]]:
    """What DVC logs of objects that it moves."""
    records: SimpleQueue[logging.LogRecord] = SimpleQueue()
    logger, handler = logging.getLogger("dvc_data.hashfile.transfer"), QueueHandler(records)
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)


def test_put_says_why_dvc_wrote_nothing(
    store: CandidateStore, transfers: SimpleQueue[logging.LogRecord]
) -> None:
    """DVC would log it, and the message could not name the cause."""
    (store.root / "folder").mkdir()
    (store.root / "folder/large").write_bytes(bytes(500_000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
    try:
        with pytest.raises(LineageError, match=r"cannot be written: .*: File too large\."):
            store.put_folder(KEY, store.root / "folder")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert transfers.empty()
    assert store.find(KEY) is None


def _write_fault(record: Record, said: Path) -> None:
    """Write down why a document cannot be checked out where files may have four bytes.

    That is enough for what DVC writes to learn which kinds of link there are.
    """
    store = CandidateStore()
    assert store.find(KEY) is not None  # DVC's state is read before the limit
    said.touch()
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, resource.RLIM_INFINITY))
    try:
        store.checkout(record, Path("data/document"))
    except LineageError as error:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        said.write_text(str(error))


def test_what_a_disk_refuses_is_said_in_its_words(store: CandidateStore, tmp_path: Path) -> None:
    """Not in DVC's, which says only that there is no possible kind of link."""
    (store.root / ".dvc/config").write_text("[cache]\n    type = copy\n")
    record, said = store.put_json(KEY, {"a": list(range(100))}), tmp_path / "said"
    process = get_context("spawn").Process(target=_write_fault, args=(record, said))
    process.start()
    process.join()
    assert "File too large. Remove the cause" in said.read_text()
    assert "No possible" not in said.read_text()


def test_a_broken_configuration_of_dvc_is_named(store: CandidateStore) -> None:
    """DVC's own message has several lines, the first of which does not say of what file."""
    (store.root / ".dvc/config").write_text('[cache]\n  type = "x')
    with pytest.raises(LineageError) as said:
        store.check_writable()
    assert "store: cannot be written: DVC's configuration, .dvc/config" in str(said.value)
    assert 1 == len(str(said.value).splitlines())
