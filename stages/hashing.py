"""Canonical JSON and content hashes: the keys of everything."""

import hashlib
import json
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

_CHUNK_BYTES = 1 << 20


def canonical_json(value: Any) -> str:
    """Return the one JSON text of ``value``: sorted keys, no spaces, no NaN.

    Raises:
        ValueError: ``value`` holds NaN or an infinity, which JSON cannot carry.
        TypeError: ``value`` holds something that is not plain data.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
    )


def content_hash(value: Any) -> str:
    """Return the SHA-256 (64 hex digits) of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """Return the SHA-256 (64 hex digits) of a file's bytes, read in chunks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def git_hash(data: bytes) -> str:
    """Return the SHA-1 (40 hex digits) by which git, and so a hub, knows a file's bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def weights_hash(tensors: Mapping[str, tuple[str, tuple[int, ...], str]]) -> str:
    """Return the hash of a set of weights from {name: (dtype, shape, SHA-256 of the bytes)}.

    It depends on the tensors alone: not on their order, their files, or how they are sharded.
    """
    return content_hash({n: [d, list(s), h] for n, (d, s, h) in tensors.items()})


def nearest(word: str, legal: list[str], *, least: float = 0.5) -> str:
    """Return `` Did you mean 'x'?`` for the legal word nearest to ``word``, or an empty string.

    Words less alike than ``least`` (0 nothing in common, 1 equal) are none that was meant.
    """
    close = get_close_matches(word, legal, n=1, cutoff=least)
    return f" Did you mean {close[0]!r}?" if close else ""
