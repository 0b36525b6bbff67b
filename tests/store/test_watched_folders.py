"""DVC watches the folders of models by content, inside and outside of the project."""

from pathlib import Path

import pytest
from dvc.cli import main
from dvc.repo import Repo

from stages.errors import LineageError
from stages.store.watched_folders import LOCK, PIPELINE, RECORDS, watch

ROOT = Path(__file__).parents[2]
# A small download: it copies what params.yaml would name, and has it watched.
DOWNLOAD = """\
import shutil, sys
from pathlib import Path
from stages.store.watched_folders import watch
folders = Path("folders.txt").read_text().split()
for folder in folders:
    shutil.copytree(folder, Path("data/parents") / Path(folder).name)
watch({"math": folders})
"""
DVC_YAML = """\
stages:
  download:
    cmd: python download.py
    deps: [data/sources]
    outs: [data/parents]
"""


def _dvc(*arguments: str, code: int = 0) -> None:
    assert code == main([*arguments])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two folders to watch: one inside, one next to it."""
    folder = tmp_path / "project"
    (folder / "models/mine").mkdir(parents=True)
    (folder / "models/mine/weights").write_text("one")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter/weights").write_text("two")
    (folder / RECORDS).mkdir(parents=True)
    (folder / "download.py").write_text(DOWNLOAD)
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "folders.txt").write_text(f"models/mine {tmp_path / 'adapter'}")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    _dvc("init", "--no-scm", "-q")
    return folder


def test_dvc_sees_what_becomes_of_a_folder(project: Path, tmp_path: Path) -> None:
    """A change reruns the download, a folder that is gone is an error, no change costs nothing."""
    _dvc("repro", "-q")
    assert {} == Repo().status()

    (project / "models/mine/weights").write_text("retrained")
    (tmp_path / "adapter/config").write_text("new")
    assert [f"{PIPELINE}:math"] == list(Repo().status())
    _dvc("repro", "-q")
    assert "retrained" == Path("data/parents/mine/weights").read_text()
    assert "new" == Path("data/parents/adapter/config").read_text()
    assert {} == Repo().status()

    (project / "models/mine/weights").unlink()
    (project / "models/mine").rmdir()
    assert [f"{PIPELINE}:math"] == list(Repo().status())
    _dvc("repro", "-q", code=255)


def test_what_is_named_no_more_is_watched_no_more(project: Path) -> None:
    """Without a folder nothing is left but the folder of records."""
    assert project
    watch({"math": ["models/mine"], "order": ["models/mine"]})
    assert ["math.json", "order.json"] == sorted(p.name for p in RECORDS.iterdir())
    watch({"math": ["models/mine"]})
    assert ["math.json"] == [p.name for p in RECORDS.iterdir()]

    watch({})

    assert [] == list(RECORDS.iterdir())
    assert not PIPELINE.exists()
    assert not LOCK.exists()


@pytest.mark.usefixtures("project")
def test_a_folder_that_is_not_there_cannot_be_watched() -> None:
    """The error is the store's and names the folder."""
    with pytest.raises(LineageError, match="models/none"):
        watch({"math": ["models/none"]})


def test_outside_of_a_dvc_project_nothing_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download without DVC writes the models alone."""
    monkeypatch.chdir(tmp_path)
    watch({"math": ["models/mine"]})

    assert [] == list(tmp_path.iterdir())
