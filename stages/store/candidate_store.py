"""The candidate store: every merge and evaluation by its key, its bytes in DVC's own cache.

An index of small JSON files next to the cache says which objects a key has. An object that is
missing or damaged makes its key a miss, never an error and never wrong data, so `dvc gc` and a
kill at any moment cost only time. No lock is taken: objects and index entries are written under
a temporary name and renamed, so threads, processes and a running `dvc repro` may share a store.

A merge's key is its recipe's id. This is the only module that imports DVC.
"""

import hashlib
import json
import logging
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Self

import dvc.api
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import Stage
from dvc_data.hashfile.db import add_update_tree
from dvc_data.hashfile.hash import hash_file
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree
from dvc_data.index.index import DataIndexError

from stages.errors import LineageError
from stages.hashing import canonical_json
from stages.store.index import Index, Member, Record, evaluation_key

__all__ = ["CandidateStore", "Record", "evaluation_key"]

SCRATCH = ".scratch"
INDEX = "candidates"  # a folder of DVC's cache that `dvc gc` leaves alone

_opened: dict[Path, Repo] = {}
_opening = threading.Lock()


class CandidateStore:
    """Keeps merges and evaluations in the DVC project around ``root``; picklable, thread-safe.

    In `dvc exp run --temp` that is the temporary workspace, which shares the project's cache.
    """

    def __init__(self, root: Path = Path()) -> None:
        """Find the project; DVC's repository is opened with the first use, once a process.

        Raises:
            LineageError: ``root`` is not inside a DVC project.
        """
        try:
            self.root = Path(Repo.find_root(str(root)))  # not $DVC_ROOT: `exp run` points it away
        except DvcException as error:
            raise LineageError(f"store, {root}: not in a DVC project. Use `dvc init`.") from error

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        return type(self), (self.root,)

    def find(self, key: str) -> Record | None:
        """Return what ``key`` holds; None where nothing whole and undamaged is there."""
        record = self._index.find(key)
        return record if record is not None and self._is_whole(record) else None

    def put_json(self, key: str, value: Any, **meta: Any) -> Record:
        """Store ``value`` as canonical JSON under ``key`` and return its record."""
        with self._scratch() as folder:
            path = folder / "document.json"
            path.write_text(canonical_json(value) + "\n", encoding="utf-8", newline="\n")
            return self._put(key, path, meta)

    def read_json(self, record: Record) -> Any:
        """Return the document of ``record``, straight from the cache.

        Raises:
            LineageError: the document is gone or damaged, or ``record`` is of a folder.
        """
        if record.members is not None:
            raise LineageError(f"store, {record.key[:16]}: holds a folder. Use checkout.")
        path = self._object(record.md5)
        data = path.read_bytes() if path.is_file() else b""
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != record.md5:
            path.unlink(missing_ok=True)
            raise _damage(record)
        return json.loads(data)

    def put_folder(self, key: str, folder: Path, **meta: Any) -> Record:
        """Store a copy of ``folder``'s files under ``key`` and return its record.

        Raises:
            LineageError: the folder is empty, missing, or outside the project.
        """
        if not folder.is_dir() or not any(path.is_file() for path in folder.rglob("*")):
            raise LineageError(f"store, {folder}: no files there. Give a folder that holds some.")
        return self._put(key, folder, meta)

    def checkout(self, record: Record, path: Path) -> None:
        """Make ``path`` the document or folder of ``record``, linked where the disk can.

        What was at ``path`` is replaced. The files are read-only and may be the cache's own: never
        open one for writing; to change one, write a new file and rename it.

        Raises:
            LineageError: an object is gone or damaged, or ``path`` is outside the project.
        """
        if not self._is_whole(record):
            raise _damage(record)
        path.parent.mkdir(parents=True, exist_ok=True)
        out = self._output(path, md5=record.md5)
        if record.members is not None:
            out.obj = self._tree(record)
        out.checkout(force=True)

    def verify(self, record: Record) -> bool:
        """Tell whether every object of ``record`` is there and has its hash, reading each byte.

        A damaged object is removed, so that the next run makes it again.
        """
        return self._is_whole(record, trust_state=False)

    def push(self, records: Iterable[Record]) -> int:
        """Send the objects of ``records`` to the default remote; return how many it lacked.

        Raises:
            LineageError: there is no remote, or it failed.
        """
        return self._transfer(records, "push")

    def fetch(self, records: Iterable[Record]) -> int:
        """Bring the objects of ``records`` from the default remote; return how many were missing.

        An object that the remote does not have either stays a miss.

        Raises:
            LineageError: there is no remote, or it failed.
        """
        return self._transfer(records, "fetch")

    def export(self, records: Iterable[Record]) -> list[dict[str, Any]]:
        """Return ``records`` as rows for a tracked file, one for each key, sorted by key."""
        by_key = {record.key: record.to_dict() for record in records}
        return [by_key[key] for key in sorted(by_key)]

    def tracked(self, path: Path) -> list[dict[str, Any]]:
        """Return the rows of a file of records as DVC tracks it, even where a stage removed it.

        ``path`` is relative to the project. Empty where none is tracked or it cannot be fetched.

        Raises:
            LineageError: a line of it is damaged.
        """
        try:
            text = dvc.api.read(path.as_posix(), repo=str(self.root), encoding="utf-8")
        except (DvcException, DataIndexError, OSError):
            return []
        try:
            return [json.loads(line) for line in text.splitlines()]
        except ValueError as error:
            raise LineageError(
                f"{path}: a line is not JSON ({error}). Restore it with `dvc checkout {path}`."
            ) from error

    def hydrate(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """Enter exported rows into the index; return how many keys it added.

        A key that the index has already keeps what it holds.

        Raises:
            LineageError: a row is not one that ``export`` made.
        """
        num_new = 0
        for row in rows:
            try:
                record = Record.from_dict(row)
            except ValueError as error:
                raise LineageError(f"store: {error}. Restore the file of records.") from error
            if self.find(record.key) is None:
                self._index.enter(record)
                num_new += self._is_whole(record)
        return num_new

    @property
    def _repo(self) -> Repo:
        with _opening:
            if self.root not in _opened:
                for bars in ("dvc.progress", "dvc_data.callbacks"):  # would break the caller's
                    logging.getLogger(bars).setLevel(logging.CRITICAL)
                _opened[self.root] = Repo(str(self.root))
            return _opened[self.root]

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        parent = self.root / SCRATCH
        parent.mkdir(exist_ok=True)
        folder = Path(mkdtemp(dir=parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _put(self, key: str, path: Path, meta: Mapping[str, Any]) -> Record:
        out = self._output(path)
        out.save()
        members = None
        if out.hash_info.isdir:
            files = [("/".join(p), info.value, m.size) for p, m, info in out.obj]
            members = tuple(Member(*file) for file in sorted(files))
        record = Record(key, out.hash_info.value, out.meta.size, members, dict(meta))
        self._is_whole(record)  # removes a damaged object, which commit would take for a good one
        out.commit(relink=False)
        if not self._is_whole(record):  # DVC logs what it could not write and goes on
            raise LineageError(f"store, {key[:16]}: not written. DVC's message says why.")
        self._index.enter(record)
        return record

    def _output(self, path: Path, **info: Any) -> "_Object":
        path = path.absolute()
        if not path.is_relative_to(self.root):
            raise LineageError(
                f"store, {path}: outside the project {self.root}. Use a folder in {SCRATCH}."
            )
        stage = Stage(self._repo, str(self.root / "dvc.yaml"), wdir=str(self.root))
        return _Object(stage, str(path), info=info, repo=self._repo)

    @property
    def _index(self) -> Index:
        return Index(Path(self._repo.cache.local_cache_dir, INDEX))

    def _object(self, name: str) -> Path:
        return Path(self._repo.cache.local.oid_to_path(name))

    def _is_whole(self, record: Record, *, trust_state: bool = True) -> bool:
        sound = [self._is_sound(n, trust_state=trust_state) for n in record.object_names()]
        return all(sound)  # not lazily: each damaged object is to be removed

    def _is_sound(self, name: str, *, trust_state: bool = True) -> bool:
        """Tell whether an object is there and has its hash; remove it where it does not.

        With ``trust_state``, DVC's record of the hash stands for one as long as the file's inode,
        size and time of change are the same. DVC itself trusts any read-only object.
        """
        cache, path = self._repo.cache.local, self._object(name)
        state = cache.state if trust_state else None
        try:
            _, md5 = hash_file(str(path), cache.fs, "md5", state=state)
        except FileNotFoundError:
            return False
        sound: bool = md5.value == name.removesuffix(".dir")
        if not sound:
            path.unlink(missing_ok=True)
        return sound

    def _tree(self, record: Record) -> Tree:
        """Return the folder's tree; `dvc gc` may have taken the object that lists its files."""
        members = record.members or ()
        self._is_sound(record.md5)
        tree = Tree.from_list([{"relpath": m.path, "md5": m.md5} for m in members], "md5")
        tree.digest()
        for file in members:
            tree.get(tuple(file.path.split("/")))[0].size = file.size
        return add_update_tree(self._repo.cache.local, tree)

    def _transfer(self, records: Iterable[Record], direction: str) -> int:
        names: set[str] = set()
        for record in records:
            names.update(record.object_names())  # DVC moves no more than what is named
            if record.members is not None:
                names.add(self._tree(record).oid)
        cloud = self._repo.cloud
        move = cloud.push if direction == "push" else cloud.pull
        try:
            result = move([HashInfo("md5", name) for name in sorted(names)])
        except DvcException as error:
            raise LineageError(f"store, {direction}: {error}") from error
        if result.failed:
            raise LineageError(
                f"store, {direction}: {len(result.failed)} of {len(names)} objects failed; the "
                "rest was moved. DVC's messages say why. Fix that and run the same command again."
            )
        return len(result.transferred)


class _Object(Output):  # type: ignore[misc]  # DVC is untyped
    """An output of no stage: no .gitignore is edited for it, and .dvcignore leaves it whole."""

    use_scm_ignore = False
    dvcignore = None


def _damage(record: Record) -> LineageError:
    return LineageError(
        f"store, {record.key[:16]}: an object is gone or was damaged. Run the same command again "
        "to make it, or `dvc fetch` it. Files linked from the cache must not be written to."
    )
