"""Files are read as text or refused, and links stay where they may."""

import os
from pathlib import Path

import pytest

from stages.files import (
    can_be_path,
    inside_project,
    leaving_link,
    size_text,
    text_of,
    write_whole,
)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a\nb\xff", "line 2: the byte 0xff is not UTF-8"),
        ("a".encode("utf-16"), "line 1: it is UTF-16"),
    ],
)
def test_bytes_that_are_not_text_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    """The message names the line."""
    (tmp_path / "f").write_bytes(data)

    with pytest.raises(ValueError, match=message):
        text_of(tmp_path / "f")


def test_only_files_are_read(tmp_path: Path) -> None:
    """A pipe is not waited for, a folder is not a file, and a mark of UTF-8 is left out."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "marked").write_bytes(b"\xef\xbb\xbfa")

    assert "a" == text_of(tmp_path / "marked")
    for name in ("pipe", "."):
        with pytest.raises(ValueError, match="not a file"):
            text_of(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        text_of(tmp_path / "none")


@pytest.mark.parametrize(
    ("link", "target", "leaves"),
    [
        ("model/a", "model/b", False),
        ("model/a", "b", True),
        ("model/inner/a", "/etc/passwd", True),
        ("model/a", "nowhere", True),
        ("hub/snapshots/c0ffee/a", "hub/blobs/b", False),
        ("hub/snapshots/c0ffee/a", "hub/refs/main", True),
        ("model/a", "cache/files/md5/0a/" + "0" * 30, False),
    ],
)
def test_link_leaves_unless_a_cache_holds_it(
    tmp_path: Path, link: str, target: str, leaves: bool
) -> None:
    """The hub's snapshots are links to its blobs, and DVC's outputs may be links to its cache."""
    path = tmp_path / link
    path.parent.mkdir(parents=True)
    if target != "nowhere" and not target.startswith("/"):
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / target).touch()
    path.symlink_to(tmp_path / target)
    folder = path.parent if "snapshots" in link else tmp_path / "model"

    assert leaving_link(folder) == (path if leaves else None)


def test_file_of_the_project_is_not_a_link_out_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder on another disk may be linked; a file that somebody linked elsewhere may not."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other/q.csv").touch()
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    Path("data").symlink_to(tmp_path / "other")
    Path("q.csv").symlink_to(tmp_path / "other/q.csv")

    assert inside_project("data/q.csv") == Path("data/q.csv")
    assert inside_project("q.csv") is None


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "x" * 256, "a/" * 3000, "\ud800"])
def test_text_that_no_disk_takes_is_not_a_path(text: str) -> None:
    """Asking for such a name is an error on every disk."""
    assert not can_be_path(text)
    assert can_be_path("models/mine")


def test_a_size_has_the_unit_that_shows_it() -> None:
    """A tiny disk has kilobytes free, not 0.00 GB."""
    sizes = (0, 999, 4096, 5.88e6, 1e9, 8.64e12)
    assert [size_text(size) for size in sizes] == [
        *("0 bytes", "999 bytes", "4.10 kB", "5.88 MB", "1.00 GB", "8640.00 GB")
    ]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The error names the file that was asked for, not the one that it is written under."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_whole(tmp_path / "folder", "text")

    assert str(tmp_path / "folder") == caught.value.filename
    with pytest.raises(OSError, match="File name too long") as too_long:
        write_whole(tmp_path / ("x" * 250), "text")
    assert str(tmp_path / ("x" * 250)) == too_long.value.filename
    assert ["folder"] == [path.name for path in tmp_path.iterdir()]


def test_what_is_not_a_file_is_not_replaced(tmp_path: Path) -> None:
    """A pipe, a device or a folder stays: renaming a file over it would take it away."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FileExistsError, match="not a regular file"):
        write_whole(pipe, "text")
    assert pipe.is_fifo()
    for folder in (tmp_path, Path()):
        with pytest.raises(IsADirectoryError):
            write_whole(folder, "text")
