"""The parts of files in huggingface_hub's cache: one for each file, which is gone on with.

huggingface_hub gives the part of each attempt a name of its own: after a kill it stays for ever,
after an error it is thrown away.
"""

import re
from collections.abc import Collection
from contextlib import AbstractContextManager
from glob import escape
from hashlib import sha1
from pathlib import Path

from filelock import BaseFileLock, Timeout
from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

from stages.hashing import git_hash

_SHA1 = re.compile(r"[0-9a-f]{40}")
_FREE_AFTER_S = 0.1  # a lock that is not to be had in that time is in use


class CacheParts:
    """The content of one repository in the cache, and its parts, by ETag."""

    def __init__(self, repo: str) -> None:
        folder = repo_folder_name(repo_id=repo, repo_type="model")
        cache = Path(constants.HF_HUB_CACHE).expanduser()
        self.folder = cache / folder
        self._locks = cache / ".locks" / folder

    def blob(self, etag: str) -> Path:
        """Return where the content of a file is, or will be."""
        return self.folder / "blobs" / etag

    def part(self, etag: str) -> Path:
        """Return where the part of a file is, if there is one."""
        return self.blob(f"{etag}.incomplete")

    def num_bytes(self, etag: str) -> int:
        """Return how many bytes of a file are here, whole or in a part."""
        paths = (self.blob(etag), self.part(etag))
        return next((path.stat().st_size for path in paths if path.is_file()), 0)

    def locked(
        self, etag: str, timeout_s: float | None = None
    ) -> AbstractContextManager[BaseFileLock]:
        """Hold huggingface_hub's lock of a file, for which other processes that fetch it wait."""
        self._locks.mkdir(parents=True, exist_ok=True)
        lock: AbstractContextManager[BaseFileLock] = WeakFileLock(
            self._locks / f"{etag}.lock", timeout=timeout_s
        )
        return lock

    def adopt(self, etag: str, limit: int) -> Path:
        """Leave at most one part of a file, the longest of at most ``limit`` bytes.

        Returns its path, at which nothing may be. The file's lock must be held.
        """
        part = self.part(etag)
        others = part.parent.glob(f"{escape(etag)}.*.incomplete")
        sizes = {path: path.stat().st_size for path in (part, *others) if path.is_file()}
        usable = [path for path, size in sizes.items() if size <= limit]
        longest = max(usable, key=lambda path: sizes[path], default=None)
        for path in sizes:
            if path is not longest:
                path.unlink()
        if longest is not None:
            longest.replace(part)
        return part

    def sweep(self, listed: Collection[str]) -> None:
        """Remove the parts that no process writes to, but those of files whose ETag is listed."""
        for path in (self.folder / "blobs").glob("*.incomplete"):
            etag = path.name.partition(".")[0]
            if etag in listed:
                continue
            try:
                with self.locked(etag, _FREE_AFTER_S):
                    path.unlink(missing_ok=True)
            except Timeout:
                continue


def is_as_named(path: Path) -> bool:
    """Return whether a small file of the cache has the content that its name there stands for.

    That is its ETag: git's hash on the hub, the SHA-1 of the bytes on some mirrors. Of other names
    nothing can be said.
    """
    name = path.resolve().name
    if not _SHA1.fullmatch(name):
        return True
    data = path.read_bytes()
    return name in {git_hash(data), sha1(data, usedforsecurity=False).hexdigest()}
