"""The Hugging Face hub, through huggingface_hub alone.

A broken transfer goes on where it broke. A run that failed leaves the files it fetched whole in
huggingface_hub's cache, and the next run takes them from there. The token is taken from HF_TOKEN,
another server from HF_ENDPOINT.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from stages.errors import CheckpointError
from stages.hashing import file_hash

# The base class of transport errors, of whichever httpx huggingface_hub was built on.
_HTTP_ERRORS: tuple[type[Exception], ...] = tuple(
    c for c in HfHubHTTPError.__bases__ if issubclass(c, Exception)
)
_HUB_ERRORS: tuple[type[Exception], ...] = (*_HTTP_ERRORS, OSError, HFValidationError)
_UNREACHED = (ConnectionError, TimeoutError, LocalEntryNotFoundError)


@dataclass(frozen=True, slots=True)
class Repository:
    """A hub repository at one commit, and the size and SHA-256 (large files only) of its files."""

    repo: str
    commit: str
    files: Mapping[str, tuple[int | None, str | None]]
    where: str

    @property
    def names(self) -> tuple[str, ...]:
        """The files' names, sorted."""
        return tuple(sorted(self.files))

    @classmethod
    def open(cls, repo: str, revision: str, *, where: str) -> Self:
        """Return the repository at ``revision``, resolved to a commit.

        Raises:
            CheckpointError: there is no such repository or revision, the token does not open it,
                or the server does not answer.
        """
        with _translated(where):
            info = _api().model_info(repo, revision=revision, files_metadata=True)
        if info.sha is None:
            raise CheckpointError(f"{where}: the hub named no commit. Check HF_ENDPOINT.")
        files = {
            s.rfilename: (s.size, s.lfs.sha256 if s.lfs else None) for s in info.siblings or []
        }
        return cls(repo, info.sha, files, where)

    def fetch(self, names: Iterable[str]) -> Path:
        """Return the cache's folder that holds ``names``, each as the hub lists it.

        Raises:
            CheckpointError: the server fails, or a file is not what the hub lists.
        """
        wanted = sorted(names)
        with _translated(self.where):
            folder = Path(
                _api().snapshot_download(
                    self.repo, revision=self.commit, allow_patterns=wanted, max_workers=4
                )
            )
        for name in wanted:
            self._check(folder / name, name)
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
        return "HF_HUB_OFFLINE is set, so the hub was not asked. Unset it and run again."
    if isinstance(error, HFValidationError):
        return f"no legal repository name: {error}. Write ORG/NAME@REVISION."
    if isinstance(error, HfHubHTTPError):
        return _explain_answer(error, again)
    if isinstance(error, OSError) and not isinstance(error, _UNREACHED):
        return f"the hub's cache cannot be used: {error}. Mend that (HF_HUB_CACHE), {again}"
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
