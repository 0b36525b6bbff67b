"""Scratch folders: they go with their process, and only with it."""

import subprocess
import sys
from pathlib import Path

import pytest

from stages.scratch_folder import SCRATCH, clear_scratch, scratch_folder

KILLED = """
import os
from pathlib import Path
from stages.scratch_folder import scratch_folder
with scratch_folder() as folder:
    (folder / "model").write_text("half")
    os._exit(9)
"""
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_a_scratch_folder_goes_whatever_happens_in_it() -> None:
    """A write that fails leaves nothing behind, and folders at one time are apart."""

    def write() -> None:
        with scratch_folder() as one, scratch_folder() as two:
            assert one != two
            (one / "model").mkdir()
            (one / "model/weights").write_bytes(b"1")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write()
    assert [] == list(SCRATCH.iterdir())


def test_what_a_killed_process_left_is_removed_and_nothing_else() -> None:
    """A folder in use and files that are not scratch folders stay."""
    for _ in range(2):
        subprocess.run([sys.executable, "-c", KILLED], check=False)
    frames = SCRATCH / "frames"
    left = frames / f".abc.{'0' * 32}.partial"
    kept = frames / "abc", SCRATCH / ".mine.partial", SCRATCH / "gpus"
    for folder in (left, *kept):
        folder.mkdir(parents=True)
    assert 1 == len(list(SCRATCH.glob(".work.*")))  # the second removed the first one's

    with scratch_folder() as used:
        left.mkdir(exist_ok=True)
        clear_scratch()
        assert used.is_dir()
        assert [used.name] == [path.name for path in SCRATCH.glob(".work.*")]
        assert not left.exists()
        assert all(folder.is_dir() for folder in kept)


def test_to_clear_where_no_scratch_is_does_nothing() -> None:
    """A new checkout has none."""
    clear_scratch()
    assert not SCRATCH.exists()
