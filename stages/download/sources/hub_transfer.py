"""Bring files of one commit into huggingface_hub's cache; a broken transfer goes on from there.

The transfer itself, the layout of the cache and its locks are huggingface_hub's.
"""

import logging
import os
from collections.abc import Iterable, Mapping
from functools import partial
from glob import escape
from pathlib import Path

import httpx2
from huggingface_hub import (
    constants,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    set_client_factory,
    snapshot_download,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    build_hf_headers,
    hf_raise_for_status,
)
from huggingface_hub.utils._http import default_client_factory
from huggingface_hub.utils._runtime import is_xet_available
from huggingface_hub.utils.logging import set_verbosity
from rich.filesize import decimal

from stages.download.sources.cache_parts import CacheParts
from stages.download.sources.hub_answers import (
    BrokenOffError,
    OddAnswerError,
    endpoint,
    patiently,
    understood,
)
from stages.download.sources.transfer_progress import FileCounter, NoBar, TransferProgress
from stages.download.sources.transfer_threads import (
    NUM_THREADS,
    TransferThreads,
    WrongBytesError,
)
from stages.errors import words_of
from stages.hashing import file_hash

# So much is lost of a file that is cut, and the bar moves by it: huggingface_hub's is 10 MB.
constants.DOWNLOAD_CHUNK_SIZE = 1 << 20
_QUIET_BYTES = 1_000_000  # less than this needs no bar


def _client() -> httpx2.Client:
    """Return huggingface_hub's client, whose own tries of a transfer do not come before ours.

    It reads no date in Retry-After, and sleeps for a day where it is asked to.
    """
    client = default_client_factory()
    hooks = client.event_hooks
    client.event_hooks = {**hooks, "response": [*hooks["response"], _raise_at_once]}
    return client


def _raise_at_once(response: httpx2.Response) -> None:
    if response.status_code in {408, 429} and "/resolve/" in response.request.url.path:
        response.read()
        hf_raise_for_status(response)


set_client_factory(_client)
if "HF_HUB_VERBOSITY" not in os.environ:
    set_verbosity(logging.ERROR)  # it logs each try; what comes of them is one message of ours


class HubTransfer:
    """Fetches files of one commit; ``files`` gives the size and SHA-256 of each, where known."""

    def __init__(
        self, repo: str, commit: str, files: Mapping[str, tuple[int | None, str | None]]
    ) -> None:
        self._repo, self._commit, self._files = repo, commit, files
        self._parts = CacheParts(repo)
        self._unchecked: set[str] = set()

    @property
    def snapshot(self) -> Path:
        """The folder of the commit in the cache; it may hold some of the files, or be missing."""
        return self._parts.folder / "snapshots" / self._commit

    def missing_bytes(self, names: Iterable[str]) -> int:
        """Return how many bytes of ``names`` are still to be fetched."""
        return sum(max(0, self._size(n) - self._kept_bytes(n)) for n in self._missing(names))

    def fetch(self, names: Iterable[str], label: str) -> frozenset[str]:
        """Fetch what is missing of ``names``; return those whose SHA-256 was compared by that.

        Raises:
            OSError: the hub or the disk failed; all that came is kept.
            KeyboardInterrupt: with a message that says what is kept.
        """
        wanted = list(names)
        missing = sorted(self._missing(wanted), key=self._size, reverse=True)
        if missing:
            self._parts.sweep({sha256 for _, sha256 in self._files.values() if sha256})
            self._fetch_missing(missing, label)
        patterns = [escape(name) for name in wanted]
        # Links the files into the commit's folder, and keeps the list of what the commit has.
        link = partial(
            snapshot_download,
            self._repo,
            revision=self._commit,
            allow_patterns=patterns,
            endpoint=endpoint(),
            tqdm_class=NoBar,
            max_workers=NUM_THREADS,
        )
        patiently(lambda: understood(link))
        return frozenset(n for n in missing if self._files[n][1] and n not in self._unchecked)

    def drop(self, name: str) -> None:
        """Remove one file from the cache, so that it alone is fetched again."""
        path = self.snapshot / name
        blob = path.resolve()
        path.unlink()
        blob.unlink(missing_ok=True)

    def _fetch_missing(self, missing: list[str], label: str) -> None:
        total = sum(map(self._size, missing))
        progress = TransferProgress(label, total, len(missing), is_quiet=total < _QUIET_BYTES)

        def fetch(name: str) -> None:
            def count(num_bytes: int) -> None:
                progress.count(name, num_bytes)
                threads.check()

            self._fetch_one(name, partial(FileCounter, count=count))

        threads = TransferThreads(missing, fetch)
        try:
            with progress:
                threads.run()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"stopped: {len(threads.whole)} of {len(missing)} files of {label} came whole, "
                f"{decimal(progress.num_bytes)} of {decimal(total)} with the parts of others. "
                "They are kept in the hub's cache; the same command goes on from there"
            ) from None

    def _fetch_one(self, name: str, counter: "partial[FileCounter]") -> None:
        url = hf_hub_url(self._repo, name, revision=self._commit, endpoint=endpoint())
        metadata = patiently(lambda: get_hf_file_metadata(url, endpoint=endpoint()))
        if metadata.commit_hash not in {None, self._commit}:
            asked = f"of {name} at {self._commit}"
            raise OddAnswerError(f"asked {asked}, it answers of {metadata.commit_hash}")
        is_xet = metadata.xet_file_data is not None and is_xet_available()
        if is_xet:
            self._by_xet(name, counter)
        elif metadata.etag is None:  # which huggingface_hub says better
            self._by_library(name, counter)
        else:
            self._bring(name, url, metadata.etag, counter)

    def _by_xet(self, name: str, counter: "partial[FileCounter]") -> None:
        """Let huggingface_hub fetch a file, which compares no hash of what Xet's storage sends.

        Raises:
            BrokenOffError: Xet's storage did not give it.
        """
        self._unchecked.add(name)
        try:
            self._by_library(name, counter)
        except (httpx2.HTTPError, ConnectionError, RuntimeError, ValueError) as error:
            reason = words_of(error)
            raise BrokenOffError(
                f"at {name}, which Xet's storage did not give: {reason}; HF_HUB_DISABLE_XET=1 in "
                "the environment does without it"
            ) from error

    def _by_library(self, name: str, counter: "partial[FileCounter]") -> None:
        hf_hub_download(  # type: ignore[call-overload]  # any callable is taken for a bar
            self._repo,
            name,
            revision=self._commit,
            endpoint=endpoint(),
            tqdm_class=counter,
        )

    def _bring(self, name: str, url: str, etag: str, counter: "partial[FileCounter]") -> None:
        """Put the content of a file into the cache; an earlier run may have left a part of it."""
        size, sha256 = self._files[name]
        blob = self._parts.blob(etag)
        blob.parent.mkdir(parents=True, exist_ok=True)
        with self._parts.locked(etag):
            if blob.exists():
                return
            # A part can only be trusted where the whole can be compared.
            part = self._parts.adopt(etag, limit=size or 0 if sha256 else 0)
            for _ in range(2):
                patiently(lambda: self._receive(name, url, part, counter))
                if sha256 is None or file_hash(part) == sha256:
                    part.replace(blob)
                    return
                part.unlink()
        raise WrongBytesError(
            f"{name}: the hub sent bytes that have another SHA-256 than it lists, twice. They "
            "were thrown away, other files are kept. Run again later, or through another "
            "HF_ENDPOINT."
        )

    def _receive(self, name: str, url: str, part: Path, counter: "partial[FileCounter]") -> None:
        """Append to a part what it lacks.

        Raises:
            BrokenOffError: the transfer ended early; the part is kept.
        """
        size, _ = self._files[name]
        with part.open("ab") as file:
            try:
                http_get(
                    url,
                    file,
                    resume_size=file.tell(),
                    headers={**build_hf_headers(), "Accept-Encoding": "identity"},
                    expected_size=size,
                    displayed_filename=name,
                    tqdm_class=counter,  # type: ignore[arg-type]  # any callable is taken
                )
            except OSError as error:
                if error.errno is not None or isinstance(error, httpx2.HTTPError):
                    raise
                # huggingface_hub's own comparison of the sizes, which has no error number.
                file.flush()
                received = f"{decimal(file.tell())} of {decimal(size or 0)}"
                raise BrokenOffError(f"after {received} of {name}") from error

    def _missing(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if not (self.snapshot / name).is_file()]

    def _size(self, name: str) -> int:
        return self._files[name][0] or 0

    def _kept_bytes(self, name: str) -> int:
        sha256 = self._files[name][1]
        return self._parts.num_bytes(sha256) if sha256 else 0
