"""Files of the project: whole or not at all, and inside its folder."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

from stages.errors import CheckpointError


def write_whole(path: Path, content: str | bytes, *, mode: int | None = None) -> None:
    """Write a file under a temporary name and rename it: readers see all of it or none.

    Folders are made where they are missing. Text is UTF-8 with its line ends as they are.
    ``mode`` is that of the file; None: what the umask leaves.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = scratch_name(path)
    try:
        scratch.write_bytes(content.encode() if isinstance(content, str) else content)
        if mode is not None:
            scratch.chmod(mode)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)  # gone where it was renamed


def check_writable(folder: Path) -> None:
    """Check that files can be made in ``folder``, or in the nearest folder above that is there.

    Raises:
        OSError: they cannot.
    """
    with TemporaryFile(dir=_nearest_folder(folder)):
        pass


def check_room(needs: Mapping[Path, int], where: str) -> None:
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
            shown = " and ".join(f"{needs[f] / 1e9:.2f} GB in {f}" for f in folders)
            raise CheckpointError(
                f"{where}: needs {shown}, the disk has {free / 1e9:.2f} GB free. Free some, or "
                "use another disk."
            )


def is_same_disk(folder: Path, other: Path) -> bool:
    """Return whether files of one folder can be linked into the other."""
    return _nearest_folder(folder).stat().st_dev == _nearest_folder(other).stat().st_dev


def _nearest_folder(folder: Path) -> Path:
    """Return ``folder``, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def scratch_name(path: Path) -> Path:
    """Return a hidden name next to ``path`` that no other process or thread uses."""
    return path.with_name(f".{path.name}.{uuid4().hex}")


def inside_project(given: str | Path) -> Path | None:
    """Return ``given`` relative to the working directory; None where ``..`` leads out of it.

    Links in it are not followed.
    """
    project = Path.cwd()
    path = Path(os.path.normpath(project / given))
    return path.relative_to(project) if path.is_relative_to(project) else None
