"""The candidate store: every merge and evaluation by its key, its bytes in DVC's own cache.

An index of small JSON files next to the cache says which objects a key has. An object that is
missing or damaged makes its key a miss, never an error and never wrong data, so `dvc gc` and a
kill at any moment cost only time. No lock is taken: objects and index entries are written under
a temporary name and renamed, so threads, processes and a running `dvc repro` may share a store.

A merge's key is its recipe's id. This room alone imports DVC.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import Stage
from dvc_data.hashfile.hash_info import HashInfo

from stages.errors import LineageError, words_of
from stages.files import check_writable, text_in
from stages.hashing import canonical_json
from stages.json_text import json_in
from stages.scratch_folder import SCRATCH, scratch_folder
from stages.store.dvc_project import INDEX, entries, opened
from stages.store.faults import store_faults, transfer_errors
from stages.store.index import Index, Member, Record, evaluation_key
from stages.store.objects import Objects, UnstagedOutput

__all__ = ["CandidateStore", "Record", "evaluation_key"]


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

    def check_writable(self) -> None:
        """Check that the cache takes objects and index entries.

        Raises:
            LineageError: it does not.
        """
        with store_faults("cannot be written"):
            for folder in (entries(self.root, INDEX).folder, Path(self._repo.cache.local.path)):
                check_writable(folder)

    def find(self, key: str) -> Record | None:
        """Return what ``key`` holds; None where nothing whole and undamaged is there.

        Raises:
            LineageError: the cache cannot be read, so that nobody knows.
        """
        with store_faults("cannot be read"):
            record = self._index.find(key)
            return record if record is not None and self._objects.has(record) else None

    def put_json(self, key: str, value: Any, **meta: Any) -> Record:
        """Store ``value`` as canonical JSON under ``key`` and return its record.

        Raises:
            LineageError: the cache cannot be written.
        """
        with store_faults("cannot be written"), scratch_folder(self.root) as folder:
            path = folder / "document.json"
            path.write_text(canonical_json(value) + "\n", encoding="utf-8", newline="\n")
            return self._put(key, path, meta)

    def document(self, record: Record) -> Any | None:
        """Return the document of ``record``, straight from the cache; None where it is damaged.

        ``find`` trusts DVC's record of hashes, so damage that left no trace shows here.

        Raises:
            LineageError: the cache cannot be read, or ``record`` is of a folder.
        """
        if record.members is not None:
            raise LineageError(f"store, {record.key[:16]}: holds a folder. Use checkout.")
        with store_faults("cannot be read"):
            data = self._objects.read(record.md5)
        try:
            return json_in(text_in(data)) if data is not None else None
        except ValueError:  # its hash is right, and it is not what the store writes
            return None

    def read_json(self, record: Record) -> Any:
        """Return the document of ``record``, which must be there.

        Raises:
            LineageError: the document is gone or damaged, or ``record`` is of a folder.
        """
        document = self.document(record)
        if document is None:
            raise _damage(record)
        return document

    def put_folder(self, key: str, folder: Path, **meta: Any) -> Record:
        """Store a copy of ``folder``'s files under ``key`` and return its record.

        Raises:
            LineageError: the folder is empty, missing, or outside the project; or the cache cannot
                be written.
        """
        if not folder.is_dir() or not any(path.is_file() for path in folder.rglob("*")):
            raise LineageError(f"store, {folder}: no files there. Give a folder that holds some.")
        with store_faults("cannot be written"):
            return self._put(key, folder, meta)

    def checkout(self, record: Record, path: Path) -> None:
        """Make ``path`` the document or folder of ``record``, linked where the disk can.

        What was at ``path`` is replaced. The files are read-only and may be the cache's own: never
        open one for writing; to change one, write a new file and rename it.

        Raises:
            LineageError: an object is gone or damaged, or ``path`` is outside the project.
        """
        with store_faults(f"cannot put {path} there"):
            if not self._objects.has(record):
                raise _damage(record)
            path.parent.mkdir(parents=True, exist_ok=True)
            out = self._output(path, md5=record.md5)
            if record.members is not None:
                out.obj = self._objects.tree(record)
            try:
                out.checkout(force=True)
            except DvcException:
                # Of a disk that takes no kind of link DVC does not say why.
                for folder in (path.parent, Path(self._repo.cache.local.path)):
                    check_writable(folder)
                raise

    def verify(self, record: Record) -> bool:
        """Tell whether every object of ``record`` is there and has its hash, reading each byte.

        A damaged object is removed, so that the next run makes it again.
        """
        return self._objects.has(record, trust_state=False)

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
                with store_faults("cannot be written"):
                    self._index.enter(record)
                num_new += self._objects.has(record)
        return num_new

    @property
    def _repo(self) -> Repo:
        return opened(self.root)

    def _put(self, key: str, path: Path, meta: Mapping[str, Any]) -> Record:
        out = self._output(path)
        out.save()
        members = None
        if out.hash_info.isdir:
            files = [("/".join(p), info.value, m.size) for p, m, info in out.obj]
            members = tuple(Member(*file) for file in sorted(files))
        record = Record(key, out.hash_info.value, out.meta.size, members, dict(meta))
        # Removes a damaged object, which commit would take for a good one. Twice: `dvc gc` may
        # take the objects before the index has them.
        names = {record.md5, *record.object_names()}
        with transfer_errors(names) as errors:
            for _ in range(2):
                self._objects.has(record)
                for name in names:
                    self._objects.make_folder(name)
                out.commit(relink=False)
                if is_there := self._objects.has(record):
                    break
        if not is_there:
            if errors:
                raise errors[-1]
            raise LineageError(
                f"store, {key[:16]}: not written, or removed by another program at once. Run the "
                "same command again when that has ended."
            )
        self._index.enter(record)
        return record

    def _output(self, path: Path, **info: Any) -> UnstagedOutput:
        path = path.absolute()
        if not path.is_relative_to(self.root):
            raise LineageError(
                f"store, {path}: outside the project {self.root}. Use a folder in {SCRATCH}."
            )
        stage = Stage(self._repo, str(self.root / "dvc.yaml"), wdir=str(self.root))
        return UnstagedOutput(stage, str(path), info=info, repo=self._repo)

    @property
    def _index(self) -> Index:
        return Index(entries(self.root, INDEX))

    @property
    def _objects(self) -> Objects:
        return Objects(self._repo.cache.local)

    def _transfer(self, records: Iterable[Record], direction: str) -> int:
        names: set[str] = set()
        for record in records:
            names.update(record.object_names())  # DVC moves no more than what is named
            if record.members is not None:
                names.add(self._objects.tree(record).oid)
        cloud = self._repo.cloud
        move = cloud.push if direction == "push" else cloud.pull
        try:
            result = move([HashInfo("md5", name) for name in sorted(names)])
        except DvcException as error:
            raise LineageError(
                f"store, {direction}: {words_of(error)}. Check the remote by `dvc remote list`."
            ) from error
        if result.failed:
            raise LineageError(
                f"store, {direction}: {len(result.failed)} of {len(names)} objects failed; the "
                "rest was moved. DVC's messages say why; fix it and run the same command again."
            )
        return len(result.transferred)


def _damage(record: Record) -> LineageError:
    return LineageError(
        f"store, {record.key[:16]}: an object is gone or was damaged. Run the same command again "
        "to make it again, or `dvc fetch` it. Files linked from the cache must not be written to."
    )
