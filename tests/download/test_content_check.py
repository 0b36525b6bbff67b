"""A run begins with models that are, byte by byte, what was downloaded."""

import json
import os
from pathlib import Path

import pytest

from stages.download.content_check import CHECKED, TRUST_S, ContentCheck, check_content
from stages.download.manifest import Parents
from stages.errors import CheckpointError
from tests.download.conftest import params, run

OUT = Path("data/parents")
WEIGHTS = OUT / "math/model.safetensors"


def flip(path: Path) -> None:
    """Change bytes of a file and put its size and time of writing back."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[-8:] = bytes(8 * [content[-1] ^ 255])
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.fixture
def parents(project: Path) -> Parents:
    """The base and one parent, downloaded into a project."""
    del project
    run(params(), OUT)
    return Parents.read(OUT)


def test_content_is_read_once_a_day(parents: Parents) -> None:
    """Files that nobody wrote to since they were read are not read again; later they are."""
    first, second = check_content(parents), check_content(parents)
    entries = json.loads(CHECKED.read_bytes())
    for entry in entries.values():
        entry[0] -= TRUST_S
    CHECKED.write_text(json.dumps(entries))

    assert first.num_bytes == first.total_bytes == check_content(parents).num_bytes
    assert 0 == second.num_bytes
    assert "unchanged since they were last checked" in str(second)
    assert "checked in" in str(first)
    assert "1.00 GB checked in 2.0 s (2.0 s/GB)" == str(ContentCheck({}, 10**9, 10**9, 2.0))


def test_flipped_bits_are_seen_under_an_unchanged_time_of_writing(parents: Parents) -> None:
    """Every damaged file is named, with the remedy, also after a check that read it."""
    check_content(parents)
    flip(WEIGHTS)
    flip(OUT / "base/config.json")

    with pytest.raises(CheckpointError) as caught:
        check_content(parents)

    lines = str(caught.value).splitlines()
    assert 2 == len(lines)
    assert all("dvc repro -f download" in line for line in lines)
    with pytest.raises(CheckpointError, match=r"math/model.safetensors"):
        check_content(parents)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"data/parents": [1, [], ""]}'])
def test_a_damaged_record_has_all_read_again(parents: Parents, text: str) -> None:
    """What the record of earlier checks does not say whole, it does not say."""
    CHECKED.parent.mkdir(exist_ok=True)
    CHECKED.write_text(text)

    content = check_content(parents)

    assert content.num_bytes == content.total_bytes


@pytest.mark.parametrize("change", [flip, Path.unlink])
def test_a_change_during_the_run_is_seen(parents: Parents, change: object) -> None:
    """What was merged from a file that was written to meanwhile is not stored."""
    content = check_content(parents)
    content.check_unchanged()
    assert callable(change)
    change(WEIGHTS)

    with pytest.raises(CheckpointError, match=r"math/model.safetensors: was written to"):
        content.check_unchanged()


def test_file_that_was_not_downloaded_is_seen(parents: Parents) -> None:
    """Weights planted next to a parent's would be read with them: the file is named."""
    check_content(parents)
    planted = OUT / "math/model-00002-of-00002.safetensors"
    planted.write_bytes(WEIGHTS.read_bytes())

    with pytest.raises(CheckpointError, match=r"00002-of-00002\.safetensors: it is not a file"):
        check_content(parents)
