"""Check that the downloaded models are, byte by byte, what the manifest lists.

A run begins with it. A file that was hashed within a day is not read again while its device,
inode, size, time of writing and time of change stay the same: every program that writes to it
changes the last, also one that puts the time of writing back. A disk that loses bits by itself
changes none of them, which is why the trust ends after a day.
"""

import json
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from stages.download.manifest import MANIFEST, FileEntry, Parents
from stages.errors import CheckpointError, Faults
from stages.files import size_text, write_whole
from stages.hashing import file_hash
from stages.json_text import read_json
from stages.scratch_folder import SCRATCH

CHECKED = SCRATCH / "checked-parents.json"
TRUST_S = 24 * 3600.0
_THREADS = 4
_WORTH_A_PACE = 1e8  # bytes: below, opening files takes longer than reading them
_REMEDY = "Run `dvc repro -f download` to put it there again, then the same command again."

Stamp = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ContentCheck:
    """The files of the downloaded models, as they were when their bytes were the manifest's.

    ``num_bytes`` of ``total_bytes`` were read, in ``seconds``; the rest was read within a day.
    """

    stamps: Mapping[Path, Stamp]
    num_bytes: int
    total_bytes: int
    seconds: float

    def __str__(self) -> str:
        if not self.num_bytes:
            return f"{size_text(self.total_bytes)} unchanged since they were last checked"
        rest = self.total_bytes - self.num_bytes
        unread = f", {size_text(rest)} unchanged since the last check" if rest else ""
        pace = f" ({self.seconds * 1e9 / self.num_bytes:.1f} s/GB)"
        shown = pace if self.num_bytes >= _WORTH_A_PACE else ""
        return f"{size_text(self.num_bytes)} checked in {self.seconds:.1f} s{shown}{unread}"

    def check_unchanged(self) -> None:
        """Check that nobody wrote to the files since; none is read.

        Raises:
            CheckpointError: a file was written to, or is gone.
        """
        for path, stamp in self.stamps.items():
            if _stamp(path) != stamp:
                raise CheckpointError(
                    f"{path}: was written to, or removed, during the run. What was merged from it "
                    f"since then is stored nowhere. {_REMEDY}"
                )


def check_content(parents: Parents, record: Path = CHECKED) -> ContentCheck:
    """Check every file of ``parents`` against the manifest; ``record`` holds what was read when.

    Raises:
        CheckpointError: a file is gone or has other bytes, or one is there that was not
            downloaded; all of them are listed.
    """
    start, now = time.perf_counter(), time.time()
    known = _read(record)
    files = {parents.out / e.name / file.path: file for e in parents.entries for file in e.files}
    stamps = {path: _stamp(path) for path in files}
    trusted = {
        path: known[str(path)]
        for path, file in files.items()
        if _is_trusted(known.get(str(path)), file, stamps[path], now)
    }
    unread = [path for path in files if path not in trusted]
    with ThreadPoolExecutor(_THREADS) as pool:
        hashes = dict(zip(unread, pool.map(_hash, unread), strict=True))
    faults = Faults()
    for path, digest in hashes.items():
        if digest != files[path].sha256:
            what = f"its SHA-256 begins with {digest[:12]}" if digest else "it is gone"
            faults.add(
                f"{path}: {what}, {MANIFEST} has {files[path].sha256[:12]}. The file was damaged "
                f"or changed after the download. {_REMEDY}"
            )
    for entry in parents.entries:
        folder = parents.out / entry.name
        listed = {folder / file.path for file in entry.files}
        for path in sorted({p for p in folder.rglob("*") if not p.is_dir()} - listed):
            faults.add(
                f"{path}: it is not a file of the download, and would be read with it. Remove it."
            )
    faults.raise_as(CheckpointError)
    fresh = {path: [now, list(stamps[path]), files[path].sha256] for path in unread}
    _write(record, {str(path): entry for path, entry in {**trusted, **fresh}.items()})
    return ContentCheck(
        stamps,
        sum(files[path].size for path in unread),
        sum(file.size for file in files.values()),
        time.perf_counter() - start,
    )


def _stamp(path: Path) -> Stamp:
    """Return what changes when a file is written to or replaced; empty where it is gone."""
    try:
        s = os.stat(path)  # noqa: PTH116  of what a link leads to
    except FileNotFoundError:
        return ()
    return s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns


def _is_trusted(entry: object, file: FileEntry, stamp: Stamp, now: float) -> bool:
    match entry:
        case [float(read_at), list(known), str(sha256)]:
            is_recent = 0 <= now - read_at < TRUST_S
            return is_recent and tuple(known) == stamp and sha256 == file.sha256
        case _:
            return False


def _hash(path: Path) -> str:
    try:
        return file_hash(path)
    except FileNotFoundError:
        return ""


def _read(record: Path) -> dict[str, object]:
    try:
        known = read_json(record)
    except (OSError, ValueError):
        return {}  # everything is read again
    return known if isinstance(known, dict) else {}


def _write(record: Path, entries: Mapping[str, object]) -> None:
    write_whole(record, json.dumps(entries, sort_keys=True) + "\n")
