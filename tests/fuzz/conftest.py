"""A small project whose files are damaged one at a time."""

import os
import shutil
from pathlib import Path

import pytest

from tests.download.conftest import make_model

NAMES = ("base", "math", "lang")


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three small models; only to be read."""
    root = tmp_path_factory.mktemp("sound")
    for seed, name in enumerate(NAMES):
        make_model(root / name, seed=seed)
    return root


@pytest.fixture
def here(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, which holds copies of the models."""
    for name in NAMES:
        shutil.copytree(sound / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GERMLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    os.environ.pop("HF_TOKEN", None)
    return tmp_path
