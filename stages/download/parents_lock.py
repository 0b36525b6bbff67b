"""parents.lock: the commit of each branch and tag that params.yaml names, for git to keep.

A branch moves; what was evolved from it does not. The first run writes down the commit where the
branch stands, every later one fetches that commit, and only ``update`` moves it. The file is a
DVC out that is kept in git and outlives a run (``cache: false``, ``persist: true``): a stage may
not write to its own deps, and DVC's run cache, which would put an older lock back after an update,
passes over stages with such an out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import yaml

from stages.download.manifest import ManifestEntry
from stages.download.sources.hub import commit_if_known, commit_of
from stages.download.sources.model_requests import ModelRequest, gather
from stages.download.sources.model_source import Hub
from stages.errors import ParamsError
from stages.files import text_of, write_whole
from stages.yaml_text import document_in

LOCK = Path("parents.lock")
UPDATE = "germline download --update"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HEAD = f"""\
# The commit of each branch and tag of the hub that params.yaml names. The download stage writes
# this file and fetches these commits; `{UPDATE}` moves them. Keep it in git.
"""


class ParentsLock:
    """The lock of one run: gives each branch its commit, then is written for the next run."""

    def __init__(self, path: Path = LOCK) -> None:
        self._path = path
        self._held = read(path)
        self._commits: dict[str, str] = {}
        self._notes: dict[str, str] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence on each branch that the hub has moved since it was locked."""
        return tuple(self._notes.values())

    def pinned(self, request: ModelRequest, earlier: ManifestEntry | None) -> ModelRequest:
        """Return the request with each branch as its locked commit.

        A branch that is not locked is locked at the commit that ``earlier`` was fetched from, or
        else where it stands now.

        Raises:
            CheckpointError: a branch that is not locked cannot be looked up.
        """
        known = _fetched(request, earlier) | self._held | self._commits
        for branch in request.source.branches:
            name = str(branch)
            commit = known.get(name) or _looked_up(branch, request)
            if name in known and name not in self._commits:
                self._note_move(branch, commit)
            self._commits[name] = commit
        return replace(request, source=request.source.at(self._commits))

    def write(self) -> None:
        """Keep the commits that were given, and no others."""
        _write(self._path, self._commits)

    def _note_move(self, branch: Hub, commit: str) -> None:
        now = commit_if_known(branch.repo, branch.revision)
        if now is not None and now != commit:
            self._notes[str(branch)] = (
                f"{branch} has moved: {self._path} holds {commit}, which is used; the hub has "
                f"{now}. To follow it, run `{UPDATE}`, then `dvc repro`."
            )


def update(wanted: Sequence[ModelRequest], path: Path = LOCK) -> tuple[str, ...]:
    """Lock each branch at its current commit; return a sentence on each.

    Raises:
        CheckpointError: a branch cannot be looked up; the lock then stays as it is.
        ParamsError: the lock is damaged.
    """
    before = read(path)
    pairs = {str(branch): (branch, r) for r in wanted for branch in r.source.branches}
    locked = gather(partial(_looked_up, *pair) for pair in pairs.values())
    commits = dict(sorted(zip(pairs, locked, strict=True)))
    _write(path, commits)
    return tuple(_told(name, before.get(name), commit) for name, commit in commits.items())


def read(path: Path = LOCK) -> dict[str, str]:
    """Return the commits that are locked, by ORG/NAME@BRANCH; empty where there is no file.

    Raises:
        ParamsError: the file is damaged.
    """
    remedy = f"Take it from git again, or write it again with `{UPDATE}`."
    try:
        document = document_in(text_of(path))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ParamsError(f"{path}: not valid YAML: {error}. {remedy}") from error
    data = None if document is None else document.plain()
    commits = data.get("commits") if isinstance(data, dict) else None
    if not isinstance(commits, dict) or data != {"commits": commits}:
        raise ParamsError(f"{path}: must hold the mapping `commits` alone. {remedy}")
    for name, commit in commits.items():
        if not (isinstance(commit, str) and _COMMIT.fullmatch(commit)):
            raise ParamsError(
                f"{path}: {name}: {commit!r} is not a commit, which has 40 hexadecimal digits. "
                f"{remedy}"
            )
    return commits


def _fetched(request: ModelRequest, entry: ManifestEntry | None) -> dict[str, str]:
    """Return the commits of the models fetched earlier, for a lock that was lost or is new."""
    if entry is None or entry.source != request.source.text:
        return {}
    pairs = zip(request.source.places, (entry.revision, entry.adapter_revision), strict=False)
    return {str(hub): c for hub, c in pairs if hub in request.source.branches and c}


def _looked_up(branch: Hub, request: ModelRequest) -> str:
    return commit_of(branch.repo, branch.revision, where=f"{request.where}: {branch}")


def _told(name: str, before: str | None, now: str) -> str:
    if before is None:
        return f"{name}: locked at {now}"
    return f"{name}: still at {now}" if before == now else f"{name}: moved from {before} to {now}"


def _write(path: Path, commits: Mapping[str, str]) -> None:
    text = _HEAD + yaml.safe_dump({"commits": dict(commits)}, sort_keys=True)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    write_whole(path, text)
