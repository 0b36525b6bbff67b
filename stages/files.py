"""Files of the project: whole or not at all, and inside its folder."""

import os
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4


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
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    with TemporaryFile(dir=there):
        pass


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
