"""The Hugging Face hub, through huggingface_hub alone.

A failed run leaves what it fetched in huggingface_hub's cache, files and parts of files, and the
next run goes on from there (hub_transfer.py). A commit whose files the cache holds needs no hub.
The token is taken from HF_TOKEN, another server from HF_ENDPOINT.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

from huggingface_hub import HfApi, constants, get_cached_repo_tree
from huggingface_hub.errors import CachedRepoTreeNotFoundError, RevisionResolutionError

from stages.download.sources.cache_parts import is_as_named
from stages.download.sources.hub_answers import (
    HUB_ERRORS,
    endpoint,
    is_unanswered,
    patiently,
    translated,
    understood,
)
from stages.download.sources.hub_transfer import HubTransfer
from stages.errors import CheckpointError
from stages.files import check_room, write_whole
from stages.hashing import file_hash
from stages.licences import CARD

_UNCACHED: tuple[type[Exception], ...] = (*HUB_ERRORS, RevisionResolutionError)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ASK_TIMEOUT_S = 10.0  # for questions whose answer a run does not need


@dataclass(frozen=True, slots=True)
class Repository:
    """A hub repository at one commit, and the size and SHA-256 (large files only) of its files.

    ``revision`` is what was asked for: the commit, or a branch or tag that points to it. Where the
    hub was not asked, ``unasked`` says why, and files come from its cache alone.
    """

    repo: str
    commit: str
    files: Mapping[str, tuple[int | None, str | None]]
    revision: str
    unasked: str | None = None
    _hashes: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The files' names, sorted."""
        return tuple(sorted(self.files))

    @classmethod
    def open(cls, repo: str, revision: str) -> Self:
        """Return the repository at ``revision``, resolved to a commit.

        Where the hub does not answer, a commit is taken as its cache holds it.

        Raises:
            CheckpointError: there is no such repository or revision, the token does not open it,
                or the server does not answer.
        """
        try:
            with translated():
                ask = partial(_api().model_info, repo, revision=revision, files_metadata=True)
                info = patiently(lambda: understood(ask))
        except CheckpointError as error:
            if not (_COMMIT.fullmatch(revision) and is_unanswered(error.__cause__)):
                raise
            cached = cls.cached(repo, revision, unasked=str(error))
            if cached is None:
                raise
            return cached
        if info.sha is None:
            raise CheckpointError("the hub named no commit. Check HF_ENDPOINT.")
        files = {
            s.rfilename: (s.size, s.lfs.sha256 if s.lfs else None) for s in info.siblings or []
        }
        return cls(repo, info.sha, files, revision)

    @classmethod
    def cached(cls, repo: str, revision: str, *, unasked: str) -> Self | None:
        """Return the repository as the hub's cache holds it, or None where it does not.

        A branch or tag is the commit that it was when it was last fetched. ``unasked`` says, as
        whole sentences, why the hub is not asked.
        """
        try:
            resolved = _api().resolve_revision(repo, revision=revision, local_files_only=True)
            commit = resolved.resolved
            folder = _in_cache(repo, commit)
        except _UNCACHED:
            return None
        sizes: dict[str, int | None] = {
            path.relative_to(folder).as_posix(): None
            for path in folder.rglob("*")
            if path.is_file()
        }
        with suppress(CachedRepoTreeNotFoundError):
            # What the hub listed then; without that list a cache cannot tell what it lacks.
            sizes = {file.path: file.size for file in get_cached_repo_tree(repo, revision=commit)}
        if not (folder / CARD).is_file():
            sizes.pop(CARD, None)  # nothing but the licence is missed then
        files = {name: (size, _blob_hash(folder / name)) for name, size in sizes.items()}
        return cls(repo, commit, files, revision, unasked)

    def missing_bytes(self, names: Iterable[str]) -> int:
        """Return how many bytes of ``names`` the cache does not hold."""
        return self._transfer.missing_bytes(names) if self.unasked is None else 0

    def fetch(self, names: Iterable[str]) -> Path:
        """Return the cache's folder that holds ``names``, each as the hub lists it.

        Of a damaged file in the cache only that file is fetched again.

        Raises:
            CheckpointError: the server fails, the disk has no room, or a file is not what the hub
                lists, also when fetched again.
        """
        wanted = sorted(names)
        folder = self._received(wanted)
        faults = self._faults(folder, wanted)
        if faults and self.unasked is None:
            for name in faults:
                self._transfer.drop(name)
            folder = self._received(wanted)
            faults = self._faults(folder, wanted)
        if faults:
            name, fault = next(iter(faults.items()))
            advice = self.unasked or "Run again later, or through another HF_ENDPOINT."
            raise CheckpointError(
                f"{name} {fault}. Remove {folder / name} from the hub's cache. {advice}"
            )
        return folder

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of a file that ``fetch`` returned; none is read twice for it."""
        if name not in self._hashes:
            self._hashes[name] = file_hash(self._transfer.snapshot / name)
        return self._hashes[name]

    def remember(self, folder: Path) -> None:
        """Let the cache find this commit by the branch or tag that was asked for.

        ``folder`` is what ``fetch`` returned; a cache that cannot be written to stays as it is.
        """
        if self.revision == self.commit or self.unasked:
            return
        with suppress(OSError):
            write_whole(folder.parents[1] / "refs" / self.revision, self.commit)

    @property
    def _transfer(self) -> HubTransfer:
        return HubTransfer(self.repo, self.commit, self.files)

    def _received(self, wanted: list[str]) -> Path:
        if self.unasked is None:
            transfer = self._transfer
            check_room({Path(constants.HF_HUB_CACHE): transfer.missing_bytes(wanted)})
            with translated():
                compared = transfer.fetch(wanted, f"{self.repo}@{self.commit[:8]}")
            self._hashes.update((name, self.files[name][1] or "") for name in compared)
            return transfer.snapshot
        folder = _in_cache(self.repo, self.commit)
        missing = [name for name in wanted if not (folder / name).is_file()]
        if missing:
            raise CheckpointError(
                f"the hub's cache lacks {', '.join(missing[:4])} of this commit. {self.unasked}"
            )
        return folder

    def _faults(self, folder: Path, names: Iterable[str]) -> dict[str, str]:
        """Return what is wrong with files in the cache, by name."""
        faults = {}
        for name in names:
            size, sha256 = self.files[name]
            actual = (folder / name).stat().st_size
            if size is not None and actual != size:
                faults[name] = f"has {actual} bytes, the hub lists {size}"
            elif sha256 is not None and self.sha256(name) != sha256:
                self._hashes.pop(name)
                faults[name] = "has another SHA-256 than the hub lists"
            elif sha256 is None and not is_as_named(folder / name):
                faults[name] = "has other content than the hub lists"
        return faults


def commit_of(repo: str, revision: str) -> str:
    """Return the commit where a branch or tag stands now.

    Raises:
        CheckpointError: the hub has no such repository or revision, or was not reached.
    """
    return Repository.open(repo, revision).commit


def commit_if_known(repo: str, revision: str) -> str | None:
    """Return the commit where a branch or tag stands now, or None where the hub does not say."""
    with suppress(*HUB_ERRORS):
        ask = partial(_api().model_info, repo, revision=revision, timeout=_ASK_TIMEOUT_S)
        return understood(ask).sha
    return None


def is_offline() -> bool:
    """Return whether HF_HUB_OFFLINE forbids asking the hub."""
    return bool(constants.HF_HUB_OFFLINE)


def _in_cache(repo: str, commit: str) -> Path:
    """Return the folder of a commit in the hub's cache; it may hold a part of the files."""
    return Path(
        _api().snapshot_download(repo, revision=commit, allow_patterns=[], local_files_only=True)
    )


def _blob_hash(path: Path) -> str | None:
    """Return the SHA-256 by which the cache names a large file, or None."""
    name = path.resolve().name
    return name if _SHA256.fullmatch(name) else None


def _api() -> HfApi:
    return HfApi(endpoint=endpoint())
