"""``dvc gc`` from another shell, during a run and between its stages: the same bytes."""

import subprocess
import threading
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from tests.flows.conftest import Maker, Project

OUTPUTS = ("data/lineage", "data/kept", "data/selection", "data/champion")
COLLECTS = {
    "workspace": ("--workspace",),
    "commits": ("--all-commits",),
    "both": ("--workspace", "--all-commits", "--not-in-remote"),
}


class Collector(threading.Thread):
    """Calls ``dvc gc`` again and again while a process works."""

    def __init__(self, project: Project, process: BaseProcess, options: tuple[str, ...]) -> None:
        super().__init__(daemon=True)
        self._project, self._process, self._options = project, process, options
        self.said: list[str] = []

    def run(self) -> None:
        """Collect until the process has ended."""
        while self._process.is_alive():
            self.said.append(collect(self._project, self._options))


def collect(project: Project, options: tuple[str, ...]) -> str:
    """Return what ``dvc gc`` prints, the repository's lock held by somebody else included."""
    child = project.start("dvc", "gc", "--force", *options)
    return child.communicate()[0]


def committed(project: Project) -> Project:
    """Return the project with its files in a commit of git, as ``--all-commits`` looks there."""
    git = ["git", "-c", "user.name=u", "-c", "user.email=u@example.org"]
    for words in (["add", "--all"], ["commit", "--quiet", "--message", "start"]):
        subprocess.run([*git, *words], cwd=project.folder, check=True)
    return project


@pytest.mark.slow
@pytest.mark.parametrize("kind", COLLECTS)
def test_gc_changes_no_byte(make_project: Maker, kind: str) -> None:
    """While ``evolve`` and ``select`` work, and between them; afterwards nothing is computed."""
    undisturbed = committed(make_project("undisturbed"))
    for stage in ("evolve", "select"):
        undisturbed.germline(stage)
    project = committed(make_project("collected"))
    for stage in ("evolve", "select"):
        process, log = project.fork(stage)
        collector = Collector(project, process, COLLECTS[kind])
        collector.start()
        process.join()
        collector.join()
        said = log.read_text(encoding="utf-8")
        assert process.exitcode == 0, said
        assert len(collector.said) > 1
        assert [] == [text for text in collector.said if "Traceback" in text]
        collect(project, COLLECTS[kind])
        for folder in OUTPUTS:
            if Path(project.folder, folder).exists():
                assert undisturbed.files(folder) == project.files(folder)
    for stage in ("evolve", "select"):
        project.germline(stage)
    for folder in OUTPUTS:
        assert undisturbed.files(folder) == project.files(folder)
