"""The wheel holds all that a project needs."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


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
    bundled = [n for n in listed if n.startswith(("data/zoo/", "data/tasks/"))]
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
