"""What DVC tracks against the bytes that are there."""

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from stages.errors import LineageError
from stages.store.tracked_outputs import TrackedFile, compare_outputs, compare_stages

FILES = {"b.txt": b"two", "sub/a.txt": b"one"}


def md5(data: bytes) -> str:
    """Return the MD5 of bytes."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a dvc.lock of three outs, of which one is gone."""
    for name, data in FILES.items():
        path = tmp_path / "outs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "table.csv").write_bytes(b"1,2\n")
    # As DVC hashes a folder: the list of its files, sorted by path, as JSON.
    listing = [{"md5": md5(data), "relpath": name} for name, data in sorted(FILES.items())]
    outs = [
        {"path": "outs", "md5": f"{md5(json.dumps(listing).encode())}.dir"},
        {"path": "table.csv", "md5": md5(b"1,2\n")},
        {"path": "gone.json", "md5": md5(b"")},
    ]
    lock = {"schema": "2.0", "stages": {"one": {"cmd": "true", "outs": outs}}}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")
    return tmp_path


def test_outputs_are_compared_without_a_cache(folder: Path) -> None:
    """Equal files are equal; what is gone is said; a changed file or folder is named."""
    outputs = compare_outputs(folder)
    assert outputs.differing == ()
    assert (3, 0, ("gone.json",)) == (outputs.num_files, outputs.num_objects, outputs.missing)

    (folder / "table.csv").write_bytes(b"1,3\n")
    (folder / "outs/b.txt").write_bytes(b"two!")
    first, second = compare_outputs(folder).differing
    assert "outs" == first.path
    assert TrackedFile("table.csv", md5(b"1,2\n"), md5(b"1,3\n")) == second


def test_lock_that_is_gone_or_damaged_is_said(folder: Path) -> None:
    """A project without dvc.lock tracks nothing; one that is damaged is to be restored."""
    (folder / "dvc.lock").write_text("stages: [1]\n", encoding="utf-8")
    with pytest.raises(LineageError, match="damaged at"):
        compare_outputs(folder)
    (folder / "dvc.lock").unlink()
    with pytest.raises(LineageError, match="no such file"):
        compare_outputs(folder)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ({"path": "/", "md5": "0" * 32}, "damaged at /, which leads out of the project"),
        ({"path": "../more", "md5": "0" * 32}, "damaged at ../more, which leads out"),
        ({"path": ["a"], "md5": "0" * 32}, r"damaged at an out of path \['a'\]"),
        ({"path": "a", "md5": 3}, "and md5 3"),
    ],
)
def test_an_out_of_the_lock_is_a_file_of_the_project(
    folder: Path, out: dict[str, object], message: str
) -> None:
    """Nobody walks through the whole disk because a lock says so."""
    lock = {"schema": "2.0", "stages": {"one": {"cmd": "true", "outs": [out]}}}
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")
    with pytest.raises(LineageError, match=message):
        compare_outputs(folder)


@pytest.mark.parametrize("name", ["dvc.lock", "dvc.yaml"])
def test_a_text_that_dvc_does_not_come_to_an_end_of_is_refused(folder: Path, name: str) -> None:
    """Aliases of aliases, for example; DVC's own reader is not asked then."""
    (folder / ".dvc").mkdir()
    (folder / "dvc.yaml").write_text("stages: {one: {cmd: 'true'}}\n", encoding="utf-8")
    merges = "".join(f"m{i}: &m{i} [{f'*m{i - 1}, ' * 9}]\n" for i in range(1, 12))
    (folder / name).write_text(f"m0: &m0 [1]\n{merges}", encoding="utf-8")
    with pytest.raises(LineageError, match=rf"^{name}: line \d+: more than 100000 values"):
        compare_stages(folder)


def test_a_lock_of_other_types_is_said(folder: Path) -> None:
    """DVC ends with an assertion of its own."""
    lock = {
        "schema": "2.0",
        "stages": {"one": {"cmd": "true", "outs": [{"path": "outs", "hash": ""}]}},
    }
    stage = {"one": {"cmd": "true", "outs": ["outs"]}}
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stage}), encoding="utf-8")
    Repo.init(str(folder), no_scm=True).close()
    with pytest.raises(LineageError, match=r"^dvc\.yaml and dvc\.lock: .*Restore them"):
        compare_stages(folder)
