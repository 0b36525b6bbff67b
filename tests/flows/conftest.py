"""A copy of the project in a folder of its own, small enough to run whole in a test."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.merge.mergekit.llamas import save_family

ROOT = Path(__file__).parents[2]
COPIED = (
    *("dvc.yaml", "pyproject.toml", "germline", "flows", "stages", "data/tasks", "data/zoo"),
    *(".dvc/config", ".dvcignore"),
)
SMALL: dict[str, Any] = {
    "evaluate": {"splits": {"search": 6, "validation": 6, "test": 8}, "workers": 1},
    "select": {"population": 4, "generations": 2, "shortlist": 2, "warm_start": ["uniform"]},
}


@dataclass(frozen=True, slots=True)
class Project:
    """A copy of the project; commands run in it as a person would type them."""

    folder: Path

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start ``python -m command`` in the project."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env={**environment(), "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=_heed_ctrl_c,  # noqa: PLW1509  no threads here hold a lock it could need
        )

    def run(self, *command: str, code: int = 0) -> str:
        """Return what ``python -m command`` prints; it must end with ``code``."""
        child = self.start(*command)
        output = child.communicate()[0]
        assert code == child.returncode, output
        return output

    def set(self, changes: Mapping[str, Any]) -> None:
        """Change keys of params.yaml; mappings are merged."""
        path = self.folder / "params.yaml"
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump(merged(params, changes)), encoding="utf-8")

    def files(self, folder: str) -> dict[str, bytes]:
        """Return the content of every file below ``folder``."""
        root = self.folder / folder
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }


def _heed_ctrl_c() -> None:
    """Undo what a shell does to a job in the background, which CI may be: ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def environment() -> dict[str, str]:
    """Return this process's environment without what would point a run elsewhere."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT", "DVC_ROOT"))}


def merged(old: Any, new: Any) -> Any:
    """Return ``old`` with ``new`` laid over it."""
    if not isinstance(old, dict) or not isinstance(new, Mapping):
        return new
    return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[[str], Project]:
    """Return a maker of small projects, by name."""

    def make(name: str) -> Project:
        folder = tmp_path / name
        for item in COPIED:
            source, target = ROOT / item, folder / item
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        shutil.copy(ROOT / "params.yaml", folder)
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        project = Project(folder)
        project.set(SMALL)
        return project

    return make


@pytest.fixture(scope="session")
def llamas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the models base, one and two: only to be read."""
    return save_family(tmp_path_factory.mktemp("llamas"))


@pytest.fixture
def here(llamas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that holds the models, with a cache of its own."""
    folder = tmp_path / "here"
    shutil.copytree(llamas, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GERMLINE_CACHE", str(tmp_path / "cache"))
    return folder
