"""The Hugging Face hub, through huggingface_hub alone.

A broken transfer resumes where it broke. A failed run leaves the files that it fetched whole in
huggingface_hub's cache, and the next run takes them from there. A commit whose files the cache
holds needs no hub. The token is taken from HF_TOKEN, another server from HF_ENDPOINT.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from huggingface_hub import HfApi, constants, get_cached_repo_tree
from huggingface_hub.errors import (
    CachedRepoTreeNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
)

from stages.errors import CheckpointError
from stages.files import write_whole
from stages.hashing import file_hash

# The base class of transport errors, of whichever httpx huggingface_hub was built on.
_HTTP_ERRORS: tuple[type[Exception], ...] = tuple(
    c for c in HfHubHTTPError.__bases__ if issubclass(c, Exception)
)
_HUB_ERRORS: tuple[type[Exception], ...] = (*_HTTP_ERRORS, OSError, HFValidationError)
_UNCACHED: tuple[type[Exception], ...] = (*_HUB_ERRORS, RevisionResolutionError)
_UNREACHED = (ConnectionError, TimeoutError, LocalEntryNotFoundError)
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
    where: str
    revision: str
    unasked: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The files' names, sorted."""
        return tuple(sorted(self.files))

    @classmethod
    def open(cls, repo: str, revision: str, *, where: str) -> Self:
        """Return the repository at ``revision``, resolved to a commit.

        Where the hub does not answer, a commit is taken as its cache holds it.

        Raises:
            CheckpointError: there is no such repository or revision, the token does not open it,
                or the server does not answer.
        """
        try:
            with _translated(where):
                info = _api().model_info(repo, revision=revision, files_metadata=True)
        except CheckpointError as error:
            if not (_COMMIT.fullmatch(revision) and _is_unanswered(error.__cause__)):
                raise
            reason = str(error).removeprefix(f"{where}: ")
            cached = cls.cached(repo, revision, where=where, unasked=reason)
            if cached is None:
                raise
            return cached
        if info.sha is None:
            raise CheckpointError(f"{where}: the hub named no commit. Check HF_ENDPOINT.")
        files = {
            s.rfilename: (s.size, s.lfs.sha256 if s.lfs else None) for s in info.siblings or []
        }
        return cls(repo, info.sha, files, where, revision)

    @classmethod
    def cached(cls, repo: str, revision: str, *, where: str, unasked: str) -> Self | None:
        """Return the repository as the hub's cache holds it, or None where it does not.

        A branch or tag is the commit that it was when it was last fetched. ``unasked`` says, as
        whole sentences, why the hub is not asked.
        """
        try:
            commit = _api().resolve_revision(repo, revision=revision, local_files_only=True)
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
        files = {name: (size, _blob_hash(folder / name)) for name, size in sizes.items()}
        return cls(repo, str(commit), files, where, revision, unasked)

    def fetch(self, names: Iterable[str]) -> Path:
        """Return the cache's folder that holds ``names``, each as the hub lists it.

        Raises:
            CheckpointError: the server fails, or a file is not what the hub lists.
        """
        wanted = sorted(names)
        folder = self._received(wanted)
        for name in wanted:
            self._check(folder / name, name)
        return folder

    def remember(self, folder: Path) -> None:
        """Let the cache find this commit by the branch or tag that was asked for.

        ``folder`` is what ``fetch`` returned; a cache that cannot be written to stays as it is.
        """
        if self.revision == self.commit or self.unasked:
            return
        with suppress(OSError):
            write_whole(folder.parents[1] / "refs" / self.revision, self.commit)

    def _received(self, wanted: list[str]) -> Path:
        if self.unasked is None:
            with _translated(self.where):
                return Path(
                    _api().snapshot_download(
                        self.repo, revision=self.commit, allow_patterns=wanted, max_workers=4
                    )
                )
        folder = _in_cache(self.repo, self.commit)
        missing = [name for name in wanted if not (folder / name).is_file()]
        if missing:
            raise CheckpointError(
                f"{self.where}: the hub's cache lacks {', '.join(missing[:4])} of this commit. "
                f"{self.unasked}"
            )
        return folder

    def _check(self, path: Path, name: str) -> None:
        size, sha256 = self.files[name]
        fault = None
        if not path.is_file():
            fault = "was not sent"
        elif size is not None and path.stat().st_size != size:
            fault = f"has {path.stat().st_size} bytes, the hub lists {size}"
        elif sha256 is not None and file_hash(path) != sha256:
            fault = "has another SHA-256 than the hub lists"
        if fault:
            raise CheckpointError(
                f"{self.where}: {name} {fault}. Remove models--{self.repo.replace('/', '--')} "
                "from the hub's cache (HF_HUB_CACHE) and run again."
            )


def commit_of(repo: str, revision: str, *, where: str) -> str:
    """Return the commit where a branch or tag stands now.

    Raises:
        CheckpointError: the hub has no such repository or revision, or was not reached.
    """
    return Repository.open(repo, revision, where=where).commit


def commit_if_known(repo: str, revision: str) -> str | None:
    """Return the commit where a branch or tag stands now, or None where the hub does not say."""
    with suppress(*_HUB_ERRORS):
        return _api().model_info(repo, revision=revision, timeout=_ASK_TIMEOUT_S).sha
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


def _is_unanswered(error: BaseException | None) -> bool:
    """Return whether the hub was not asked, not reached, or too busy to answer."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code == 429
    return not isinstance(error, HFValidationError)


def _api() -> HfApi:
    return HfApi(endpoint=_endpoint())


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """Turn each of huggingface_hub's errors into one message: what happened and what to do."""
    try:
        yield
    except _HUB_ERRORS as error:
        raise CheckpointError(f"{where}: {_explain(error)}") from error


def _explain(error: Exception) -> str:
    again = "and run again: files fetched whole are kept."
    if isinstance(error, OfflineModeIsEnabled):
        return (
            "HF_HUB_OFFLINE is set, so the hub was not asked. Fetch the model once where the hub "
            "can be reached, with the same HF_HOME: a commit that is whole in the cache is found."
        )
    if isinstance(error, HFValidationError):
        return f"not a legal repository name: {error}. Write ORG/NAME@REVISION."
    if isinstance(error, HfHubHTTPError):
        return _explain_answer(error, again)
    if isinstance(error, OSError) and not isinstance(error, _UNREACHED):
        return f"the hub's cache cannot be used: {error}. Fix that (HF_HUB_CACHE), {again}"
    return (
        f"{_endpoint()} does not answer or broke off ({type(error).__name__}). Check the network "
        f"and HF_ENDPOINT, {again}"
    )


def _explain_answer(error: HfHubHTTPError, again: str) -> str:
    token = f"HF_TOKEN (now {'set' if os.environ.get('HF_TOKEN') else 'not set'})"
    if isinstance(error, RevisionNotFoundError):
        return (
            "the repository has no such revision. Give a commit (40 digits), a tag or a branch "
            "that its History page lists."
        )
    if isinstance(error, GatedRepoError):
        return f"the repository is gated. Accept its terms on its page, then set {token}."
    status = f"{_endpoint()} answered {error.response.status_code}"
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"{status}: no such repository, or a private one. Check the name; for a private one "
            f"set {token} to a token that reads it."
        )
    if error.response.status_code in {401, 403}:
        return f"{status}. Set {token} to a token that reads the repository."
    return f"{status}. Wait, {again}"


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT") or constants.ENDPOINT
