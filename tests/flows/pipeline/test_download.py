"""The download stage under DVC: what git and dvc.lock hold decides which commit is fetched."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.flows.conftest import ROOT, Project
from tests.hub_server import HubServer


def of_download(project: Project) -> tuple[object, str]:
    """Return what dvc.lock holds of the stage, and the commit in the manifest."""
    lock = yaml.safe_load((project.folder / "dvc.lock").read_text(encoding="utf-8"))
    manifest = json.loads((project.folder / "data/parents/manifest.json").read_text("utf-8"))
    return lock["stages"]["download"], str(manifest["models"][1]["revision"])


@pytest.mark.slow
def test_a_fresh_clone_fetches_the_locked_commit(
    make_project: Callable[[str], Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all caches gone and the branch moved dvc.lock stays; after --update it follows.

    Server, token and cache are those of HF_ENDPOINT, HF_TOKEN and HF_HOME.
    """
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    project = make_project("project")
    project.set({"download": {"parents": None}})
    project.set({"download": {"parents": {"math": "org/math@main"}}})
    with HubServer() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        first = hub.push("org/math", ROOT / "data/zoo/math")
        hub.repos["org/math"].token = "hf_secret"  # noqa: S105 -- the test server's own
        project.run("dvc", "repro", "download")
        before = of_download(project)
        assert first == before[1]
        assert (tmp_path / "hf/hub/models--org--math").is_dir()
        second = hub.push("org/math", ROOT / "data/zoo/order")
        for path in ("project/data/parents", "project/.dvc/cache", "project/.dvc/tmp", "hf"):
            shutil.rmtree(tmp_path / path)

        said = project.run("dvc", "repro", "download")

        assert before == of_download(project)
        assert all(word in said for word in ("org/math@main has moved", first, second))
        said = project.run("germline", "download", "--update")
        assert f"org/math@main: moved from {first} to {second}" in said
        project.run("dvc", "repro", "download")
        assert second == of_download(project)[1]
        assert before[0] != of_download(project)[0]
    assert "up to date" in project.run("dvc", "status", "download")
