"""Hidden folders of what is being made: those of dead processes are removed, no others."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from stages.checkpoint.staging_folder import claim, publish, staged

HEX = "0123456789abcdef" * 2


def test_what_a_dead_process_left_is_removed(tmp_path: Path) -> None:
    """A folder that nobody holds goes when the same place is claimed; its files with it."""
    left = tmp_path / f".out.{HEX}.partial"
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"half")
    folder, descriptor = claim(tmp_path / "out")
    assert [folder] == list(tmp_path.iterdir())
    os.close(descriptor)


def test_ctrl_c_while_a_folder_is_claimed_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come before the caller knows of the folder."""

    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(fcntl, "flock", interrupted)
    with pytest.raises(KeyboardInterrupt):
        claim(tmp_path / "out")
    assert [] == list(tmp_path.iterdir())


def test_what_is_in_use_stays(tmp_path: Path) -> None:
    """Two may write to one place at once: each has a folder of its own until it ends."""
    first, lock = claim(tmp_path / "out")
    second, other = claim(tmp_path / "out")
    assert {first, second} == set(tmp_path.iterdir())
    os.close(lock)
    third, last = claim(tmp_path / "out")
    assert {second, third} == set(tmp_path.iterdir())
    os.close(other)
    os.close(last)


def test_a_staged_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """Its name is there after the block alone; an error leaves what was there alone."""
    out = tmp_path / "out"
    with staged(out) as folder:
        folder.mkdir()
        (folder / "one").touch()
        (folder.parent / "next to it").touch()
        assert not out.exists()
    assert [out] == list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError), staged(out, replaces=True) as folder:
        (folder / "two").touch()  # its folder was not made
    assert ["one"] == [path.name for path in out.iterdir()]
    assert [out] == list(tmp_path.iterdir())


def test_a_staged_folder_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    """What is there stays, unless it is to be replaced; an empty folder is nobody's."""
    out = tmp_path / "out"
    (out / "theirs").mkdir(parents=True)
    with pytest.raises(FileExistsError, match="out"), staged(out) as folder:
        folder.mkdir()
    assert ["theirs"] == [path.name for path in out.iterdir()]
    with staged(out, replaces=True) as folder:
        (folder / "ours").mkdir(parents=True)
    assert ["ours"] == [path.name for path in out.iterdir()]
    (tmp_path / "empty").mkdir()
    publish(out, tmp_path / "empty")
    assert ["empty"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize(
    "name", ["out", f".other.{HEX}.partial", ".out.mine.partial", f".out.{HEX}", ".out-stages"]
)
def test_nothing_else_is_touched(name: str, tmp_path: Path) -> None:
    """Folders of other places, and those that a person called alike, stay."""
    (tmp_path / name).mkdir()
    _, descriptor = claim(tmp_path / "out")
    assert (tmp_path / name).is_dir()
    os.close(descriptor)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A link that is called like such a folder leads nowhere that is removed."""
    (tmp_path / "precious").mkdir()
    link = tmp_path / f".out.{HEX}.partial"
    link.symlink_to(tmp_path / "precious")
    os.close(claim(tmp_path / "out")[1])
    assert link.is_symlink()
    assert (tmp_path / "precious").is_dir()


def test_a_disk_without_locks_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There nothing can be told to be left behind, so nothing is removed."""

    def fail(*_: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    left = tmp_path / f".out.{HEX}.partial"
    left.mkdir()
    folder, descriptor = claim(tmp_path / "out")
    assert {left, folder} == set(tmp_path.iterdir())
    os.close(descriptor)
