"""The record of why a search ended early."""

from pathlib import Path

import pytest

from stages.errors import LineageError
from stages.lineage.records.ending import FILE_NAME, Ending


def test_endings_survive_a_round_trip(tmp_path: Path) -> None:
    """What is read is what was written; a search that no rule ended has no file."""
    assert Ending.read(tmp_path) is None
    ending = Ending(3, "patience", "no gain in 2 generations")
    ending.write(tmp_path)
    assert ending == Ending.read(tmp_path)


def test_damaged_endings_are_named(tmp_path: Path) -> None:
    """A file that is not an ending is said to be damaged, by its path."""
    for text in ("{", "[]", '{"generation": 1}'):
        (tmp_path / FILE_NAME).write_text(text)
        with pytest.raises(LineageError, match=r"ending\.json: does not say how"):
            Ending.read(tmp_path)
