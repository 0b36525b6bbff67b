"""The wheel holds all that a project needs."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[3]
# Libraries whose insides, or whose defaults, germline depends on.
BOUNDED = ("dvc", "lm-eval", "nevergrad", "prefect", "transformers", "whenever")


@pytest.mark.parametrize("name", BOUNDED)
def test_a_wheel_asks_for_no_later_library_than_was_tried(name: str) -> None:
    """What pip resolves without the lock has the lock's version, up to its last part."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {one.name: one.specifier for one in map(Requirement, project["dependencies"])}[name]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = next(
        Requirement(line) for line in lock.splitlines() if line.startswith(f"{name}==")
    ).specifier
    (version,) = (Version(one.version) for one in locked)
    assert asked.contains(version)
    assert not asked.contains(f"{version.major}.{version.minor + 1}")
    assert not asked.contains(f"{version.major + 1}.0")


@pytest.mark.slow
def test_a_wheel_brings_the_zoo_and_all_templates(tmp_path: Path) -> None:
    """Built from a copy, it holds each file of data/zoo and data/tasks and each file of code."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    wanted = [n for n in listed if n.startswith(("germline/", "flows/", "stages/"))]
    bundled = [n for n in listed if n.startswith(("data/zoo/", "data/tasks/", ".dvc/plots/"))]
    bundled += ["params.yaml", "dvc.yaml"]
    copy = tmp_path / "copy"
    for name in [*wanted, *bundled, "setup.py", "pyproject.toml", "README.md", "LICENSE"]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*pip, "-w", str(tmp_path), str(copy)], check=True)
    (wheel,) = tmp_path.glob("germline-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in wanted if not name.endswith(".md")} <= names
    assert {f"germline/bundled/{name}" for name in bundled} <= names
