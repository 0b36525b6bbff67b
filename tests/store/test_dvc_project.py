"""What DVC tracks in a project, and what of it is damaged in the cache."""

import os
from pathlib import Path

import pytest
from dvc.cli import main

from stages.store.dvc_project import drop_damaged

MODELS = Path("data/parents")


def _dvc(*arguments: str) -> None:
    assert 0 == main([*arguments, "-q"])


@pytest.mark.parametrize("link", ["hardlink", "copy"])
def test_damage_of_a_linked_file_leaves_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    """After damage DVC takes the file that is made again, instead of its damaged object."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    _dvc("init", "--no-scm")
    _dvc("config", "cache.type", link)
    MODELS.mkdir(parents=True)
    for name in ("one", "two"):
        (MODELS / name).write_text(name)
    _dvc("add", str(MODELS))
    _dvc("checkout", "--relink")
    assert 0 == drop_damaged(MODELS)
    path = MODELS / "one"
    status = path.stat()
    path.chmod(0o644)
    path.write_text("bad")
    path.chmod(0o444)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    num_dropped = drop_damaged(MODELS)
    path.unlink()
    path.write_text("one")
    _dvc("commit", "-f")
    _dvc("checkout", "--relink", "-f")

    assert (1 if link == "hardlink" else 0) == num_dropped
    assert "one" == path.read_text()


def test_a_folder_that_is_not_tracked_has_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first run there is nothing to look at."""
    monkeypatch.chdir(tmp_path)
    _dvc("init", "--no-scm")

    assert 0 == drop_damaged(MODELS)
