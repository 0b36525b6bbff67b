"""A copy of the project in a folder of its own, small enough to run whole in a test."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.prefect_runtime.server_answer import ServerAnswer, asked
from flows.prefect_runtime.server_child import HOST, ServerChild
from tests.flows.forked_command import started
from tests.merge.mergekit.llamas import save_family
from tests.shared_folder import filled_once, started_once

ROOT = Path(__file__).parents[2]
COPIED = (
    *("dvc.yaml", "pyproject.toml", "germline", "flows", "stages", "data/tasks", "data/zoo"),
    *("data/sources", "requirements.lock"),
    *(".dvc/config", ".dvc/plots", ".dvcignore"),
)
ITEMS = 100  # of each task: every stage reads them all, in each of its processes
SMALL: dict[str, Any] = {
    "evaluate": {
        "tasks": [{"task": "spanish_arithmetic"}, {"task": "english_arithmetic"}],
        "splits": {"search": 6, "validation": 6, "test": 8},
        "workers": 1,
    },
    "select": {
        "population": 4,
        "generations": 2,
        "shortlist": 2,
        "warm_start": ["uniform"],
        "tuned_baselines": {"sweep": 0, "random": 0},
    },
}
# Of the project that was run whole: with races what is asked hangs on what came before, within a
# generation too.
RACED: dict[str, Any] = {
    "generations": 4,
    "racing": {"rungs": [2, 3, 5], "keep": 0.5},
    "tuned_baselines": {"sweep": 3, "random": 2},
}


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """A server for the commands of all test processes, and a database that a server made."""

    url: str
    home: Path
    database: Path


@dataclass(frozen=True, slots=True)
class Project:
    """A copy of the project; commands run in it as a person would type them."""

    folder: Path
    server: PrefectServer

    def start(self, *command: str, own_server: bool = False) -> subprocess.Popen[str]:
        """Start ``python -m command`` in the project, on the tests' server or on one it starts."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        server = {} if own_server else self._tests_server
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env={**environment(), **server, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=_heed_ctrl_c,  # noqa: PLW1509  no threads here hold a lock it could need
        )

    @property
    def _tests_server(self) -> dict[str, str]:
        return {"PREFECT_API_URL": self.server.url, "PREFECT_HOME": str(self.server.home)}

    def run(self, *command: str, code: int = 0, own_server: bool = False) -> str:
        """Return what ``python -m command`` prints; it must end with ``code``."""
        child = self.start(*command, own_server=own_server)
        output = child.communicate()[0]
        assert code == child.returncode, output
        return output

    def germline(self, *arguments: str, code: int = 0) -> str:
        """Return what ``germline`` prints, forked (forked_command.py) and on the tests' server.

        It is much cheaper than ``run``, which starts an interpreter.
        """
        process, log = self.fork(*arguments)
        process.join()
        output = log.read_text(encoding="utf-8")
        assert code == process.exitcode, output
        return output

    def fork(self, *arguments: str) -> tuple[BaseProcess, Path]:
        """Start ``germline``, forked; return the process, and the file for what it prints."""
        log = self.folder.with_name(f"{self.folder.name}.log")
        variables = {**environment(), **self._tests_server}
        return started(arguments, self.folder, variables, log), log

    def set(self, changes: Mapping[str, Any]) -> None:
        """Change keys of params.yaml; mappings are merged."""
        path = self.folder / "params.yaml"
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump(merged(params, changes)), encoding="utf-8")

    def rows(self, folder: str = "data/lineage") -> list[dict[str, Any]]:
        """Return the rows of the search, or with ``data/selection`` those with every split."""
        text = (self.folder / folder / "genomes.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

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


@pytest.fixture(scope="session")
def prefect_server(shared_folder: Path, fork_server: None) -> Iterator[PrefectServer]:  # noqa: ARG001
    """A server that all flows share; it ends with the test process that started it.

    That process waits at its end until no other uses the server.
    """
    home, database = shared_folder / "prefect", shared_folder / "prefect.db"
    children: list[ServerChild] = []

    def start() -> str:
        children.append(_new_server(home))
        as_made = home / "prefect.db"
        with sqlite3.connect(as_made) as source, sqlite3.connect(database) as copy:
            source.backup(copy)
        return f"http://{HOST}:{children[0].port}/api"

    with started_once(shared_folder / "prefect", start, lambda: children.pop().end()) as url:
        yield PrefectServer(url, home, database)


def _new_server(home: Path) -> ServerChild:
    home.mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("PREFECT"):
                patch.delenv(name)
        child = ServerChild(0, home, page=False)
    url = f"http://{HOST}:{child.port}/api"
    wait_until(lambda: asked(url) is ServerAnswer.YES)
    return child


def wait_until(holds: Callable[[], bool], limit_s: float = 300) -> None:
    """Wait until ``holds()``; fail after ``limit_s``."""
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="session")
def downloaded(shared_folder: Path, prefect_server: PrefectServer) -> Path:
    """A small project that has its parents and Prefect's database: only to be copied."""

    def fill(folder: Path) -> None:
        for item in COPIED:
            source, target = ROOT / item, folder / item
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        for path in (folder / "data/tasks").glob("*.jsonl"):
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            path.write_text("".join(lines[:ITEMS]), encoding="utf-8")
        shutil.copy(ROOT / "tests/flows/six_layers.yaml", folder / "params.yaml")
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        (folder / ".prefect").mkdir()
        shutil.copy(prefect_server.database, folder / ".prefect/prefect.db")
        project = Project(folder, prefect_server)
        project.set(SMALL)
        project.germline("download")

    return filled_once(shared_folder / "downloaded", fill)


@pytest.fixture(scope="session")
def repeated(shared_folder: Path, downloaded: Path, prefect_server: PrefectServer) -> Path:
    """A small project that was run whole, as `dvc repro` does: to be copied."""

    def fill(folder: Path) -> None:
        project = Project(folder, prefect_server)
        shutil.copytree(downloaded, folder, dirs_exist_ok=True)
        project.set({"select": RACED})
        for stage in ("evolve", "select", "report"):
            project.germline(stage)
        from dvc.repo import Repo

        with contextlib.chdir(folder), Repo() as repo:
            repo.commit(force=True)

    return filled_once(shared_folder / "repeated", fill)


Maker = Callable[[str], Project]


def maker_of(source: Path, folder: Path, server: PrefectServer) -> Maker:
    """Return a maker of copies of ``source`` below ``folder``, by name.

    They share the files of code, which are most: a test that changes one puts a new one there.
    """

    def copy(file: str, target: str) -> None:
        is_code = Path(file).relative_to(source).parts[0] in {"germline", "flows", "stages"}
        (os.link if is_code else shutil.copy2)(file, target)

    def make(name: str) -> Project:
        shutil.copytree(source, folder / name, copy_function=copy)
        return Project(folder / name, server)

    return make


@pytest.fixture
def make_project(tmp_path: Path, downloaded: Path, prefect_server: PrefectServer) -> Maker:
    """Return a maker of small projects, by name; their parents are downloaded."""
    return maker_of(downloaded, tmp_path, prefect_server)


@pytest.fixture
def copy_repeated(tmp_path: Path, repeated: Path, prefect_server: PrefectServer) -> Maker:
    """Return a maker of copies of the project that was run whole, by name."""
    return maker_of(repeated, tmp_path, prefect_server)


@pytest.fixture
def at_repeated(
    copy_repeated: Maker, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A project that was run, the working directory, with a cache of hashes of its own."""
    folder = copy_repeated("project").folder
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GERMLINE_CACHE", str(tmp_path_factory.mktemp("cache")))
    return folder


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
