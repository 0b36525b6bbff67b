"""Files: read as text or refused, written whole or not at all, and inside their folder."""

import codecs
import errno
import os
import re
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

from stages.errors import CheckpointError

MAX_PATH_BYTES, MAX_NAME_BYTES = 4095, 255  # of Linux; asking for more is an error
_IN_CACHE = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")  # of DVC


def write_whole(path: Path, content: str | bytes, *, mode: int | None = None) -> None:
    """Write a file under a temporary name and rename it: readers see all of it or none.

    Folders are made where they are missing. Text is UTF-8 with its line ends as they are.
    ``mode`` is that of the file; None: what the umask leaves.

    Raises:
        OSError: it cannot be written, or something other than a file is there, as a device, which
            the renaming would replace; the error names ``path``.
    """
    _check_replaceable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = scratch_name(path)
    try:
        scratch.write_bytes(content.encode() if isinstance(content, str) else content)
        if mode is not None:
            scratch.chmod(mode)
        scratch.replace(path)
    except OSError as error:  # a full disk names no file, another fault the temporary one
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):  # gone where it was renamed, and never there where it cannot be
            scratch.unlink()


def _check_replaceable(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except OSError:  # not there, or nowhere: writing says what is wrong
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise FileExistsError(errno.EEXIST, "It is not a regular file", str(path))


def text_of(path: Path) -> str:
    """Return the text of a file, as ``text_in`` reads it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, is not a file or is not UTF-8.
    """
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)  # a pipe would be waited for
        data = path.read_bytes() if is_file else b""
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror or error}") from error
    if not is_file:
        raise ValueError("it cannot be read: it is not a file")
    return text_in(data)


def text_in(data: bytes) -> str:
    """Return the text of bytes in UTF-8; a mark of that at the beginning is left out.

    Raises:
        ValueError: they are not UTF-8; the message begins with the line.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("line 1: it is UTF-16; save it as UTF-8")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        raise ValueError(f"line {line}: the byte 0x{byte:02x} is not UTF-8 text") from error


def check_writable(folder: Path) -> None:
    """Check that ``folder``, or the nearest folder above that is there, takes files with content.

    Raises:
        OSError: they cannot.
    """
    with TemporaryFile(dir=_nearest_folder(folder), buffering=0) as file:
        file.write(b"1")  # a full disk may still take empty ones


def check_room(needs: Mapping[Path, int]) -> None:
    """Check that the disks have room for so many bytes more in each folder; it need not exist.

    Raises:
        CheckpointError: one has not.
    """
    disks: dict[int, list[Path]] = {}
    for folder in needs:
        if needs[folder]:
            disks.setdefault(_nearest_folder(folder).stat().st_dev, []).append(folder)
    for folders in disks.values():
        wanted = sum(needs[folder] for folder in folders)
        free = shutil.disk_usage(_nearest_folder(folders[0])).free
        if wanted > free:
            shown = " and ".join(f"{size_text(needs[f])} in {f}" for f in folders)
            raise CheckpointError(
                f"needs {shown}, the disk has {size_text(free)} free. Free some, or use another "
                "disk."
            )


def size_text(num_bytes: float) -> str:
    """Return a number of bytes in the largest unit of which there is one, as 5.88 MB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= size:
            return f"{num_bytes / size:.2f} {unit}"
    return f"{num_bytes:.0f} bytes"


def is_same_disk(folder: Path, other: Path) -> bool:
    """Return whether files of one folder can be linked into the other."""
    return _nearest_folder(folder).stat().st_dev == _nearest_folder(other).stat().st_dev


def _nearest_folder(folder: Path) -> Path:
    """Return ``folder``, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def scratch_name(path: Path) -> Path:
    """Return a hidden name next to ``path`` that no other process or thread uses."""
    return path.with_name(f".{path.name}.{uuid4().hex}")


def can_be_path(text: str) -> bool:
    """Return whether a text can name a file at all: none has control characters or is so long."""
    is_printable = text.isprintable() and len(text.encode("utf-8", "replace")) <= MAX_PATH_BYTES
    return is_printable and all(
        len(part.encode("utf-8", "replace")) <= MAX_NAME_BYTES for part in text.split("/")
    )


def leaving_link(folder: Path) -> Path | None:
    """Return a link under ``folder`` that leads out of it; None where none does.

    What a cache holds by its hash counts as inside: the blobs of the hub's cache for a snapshot of
    it, and DVC's cache for everyone.
    """
    root = folder.resolve()
    blobs = root.parents[1] / "blobs" if root.parent.name == "snapshots" else root
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(parent, name)
            if path.is_symlink() and not _is_within(path, (root, blobs)):
                return path
    return None


def _is_within(link: Path, roots: tuple[Path, ...]) -> bool:
    try:
        target = link.resolve()
    except (OSError, RuntimeError):  # a loop of links leads nowhere
        return False
    if _IN_CACHE.search(target.as_posix()):
        return True
    return any(target.is_relative_to(root) for root in roots)


def inside_project(given: str | Path) -> Path | None:
    """Return ``given`` relative to the working directory; None where it leads out of it.

    Folders on the way may be links, such as a ``data`` on another disk; a file may not be one that
    leads out.
    """
    project = Path.cwd()
    path = Path(os.path.normpath(project / given))
    if path.is_symlink() and path.is_file() and not _is_within(path, (project.resolve(),)):
        return None
    return path.relative_to(project) if path.is_relative_to(project) else None
