"""Bytes at their place in a file: whatever one call to the system writes, all of them arrive."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.checkpoint.disk import send_to_disk, sync, write_at


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    """Give a file, open for reading and writing, that is as long as its ten zeros."""
    path = tmp_path / "file"
    path.write_bytes(bytes(10))
    opened = os.open(path, os.O_RDWR)
    yield opened
    os.close(opened)


def test_bytes_go_to_their_place(descriptor: int) -> None:
    """What is written at an offset is there, and what is next to it stays; nothing is nothing."""
    write_at(descriptor, memoryview(b"abc"), 4)
    write_at(descriptor, memoryview(b""), 0)
    assert bytes(4) + b"abc" + bytes(3) == os.pread(descriptor, 20, 0)


def test_bytes_all_arrive_where_a_call_writes_few(
    descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that takes two bytes a call is called until none is left."""
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: whole(file, data[:2], at))
    write_at(descriptor, memoryview(b"abcde"), 1)
    assert b"\0abcde\0\0\0\0" == os.pread(descriptor, 20, 0)


def test_what_is_sent_to_the_disk_stays_readable(descriptor: int, tmp_path: Path) -> None:
    """Sending a range, or one past the end, and a sync change no byte of the file."""
    write_at(descriptor, memoryview(b"abc"), 4)
    send_to_disk(descriptor, 0, 10)
    send_to_disk(descriptor, 100, 10)
    sync(tmp_path / "file")
    sync(tmp_path)
    assert bytes(4) + b"abc" + bytes(3) == os.pread(descriptor, 20, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is told")
@pytest.mark.parametrize(("platform", "calls"), [("linux", [(3, 7)]), ("darwin", [])])
def test_only_linux_is_told_to_begin(
    platform: str,
    calls: list[tuple[int, int]],
    descriptor: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Linux is told the range that it may write; a system that knows no such call is not."""
    ranges = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _, at, size, __: ranges.append((at, size)))
    monkeypatch.setattr(sys, "platform", platform)
    send_to_disk(descriptor, 3, 7)
    assert calls == ranges


def test_sync_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A path without a file is an error of the system's."""
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "none")
