"""Weights hashes of model folders, kept in the user's cache while the files stay as they are.

A cache that cannot be read or written costs the time of hashing again, never a merge.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from platformdirs import user_cache_path

from stages.checkpoint.weight_files import WeightFiles
from stages.files import write_whole
from stages.hashing import content_hash


def cache_folder() -> Path:
    """Return the folder of what can be computed again; ``GERMLINE_CACHE`` moves it."""
    return Path(os.environ.get("GERMLINE_CACHE") or user_cache_path("germline"))


def known_hash(folder: Path) -> str | None:
    """Return a model's weights hash where the cache has it; no weight is read."""
    try:
        text = _hash_file(weights_stamp(folder)).read_text(encoding="ascii").strip()
    except (OSError, ValueError):  # it is not there, damaged, or may not be read
        return None
    return text if len(text) == 64 else None


def keep_hash(stamp: str, weights_hash: str) -> OSError | None:
    """Keep the weights hash of files with this stamp; return why it cannot be kept."""
    try:
        write_whole(_hash_file(stamp), f"{weights_hash}\n")
    except OSError as error:
        return error
    return None


def remember(folder: Path, weights_hash: str) -> str | None:
    """Keep the weights hash of a model folder; return what to say where it cannot be kept."""
    error = keep_hash(weights_stamp(folder), weights_hash)
    if error is None:
        return None
    return (
        f"{cache_folder()}: the cache of germline merge cannot be written: {error.strerror}. The "
        "model is whole; its weights will be hashed again. Set GERMLINE_CACHE to a folder with "
        "room in which you may write."
    )


def weights_stamp(folder: Path) -> str:
    """Return the stamp of a folder's weight files."""
    files = WeightFiles.in_folder(folder)
    return stamp_of(folder, files.names if files else ())


def stamp_of(folder: Path, names: Iterable[str]) -> str:
    """Return a hash that changes when one of the named files is written to; none is read."""
    parts: list[list[str | int]] = []
    for name in sorted(names):
        real = (folder / name).resolve()
        stat = real.stat() if real.is_file() else None
        times = [stat.st_size, stat.st_mtime_ns, stat.st_ino] if stat else []
        parts.append([name, str(real), *times])
    return content_hash(parts)


def _hash_file(stamp: str) -> Path:
    return cache_folder() / "weights" / f"{stamp}.txt"
