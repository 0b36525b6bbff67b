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

from stages.download.earlier_run import champion_of
from stages.download.manifest import ManifestEntry
from stages.download.sources.hub import commit_if_known, commit_of
from stages.download.sources.model_requests import ModelRequest, gather
from stages.download.sources.model_source import EarlierRun, Hub
from stages.errors import CheckpointError, ParamsError, at
from stages.files import text_of, write_whole
from stages.yaml_text import document_in

LOCK = Path("parents.lock")
UPDATE = "germline download --update"
_HEAD = f"""\
# The commit of each branch and tag of the hub that params.yaml names. The download stage writes
# this file and fetches these commits; `{UPDATE}` moves them. Keep it in git.
"""
# What each section holds: commits of the hub, and weights hashes of the champions of earlier runs.
_KINDS = {
    "commits": (re.compile(r"[0-9a-f]{40}"), "a commit, which has 40 hexadecimal digits"),
    "runs": (re.compile(r"[0-9a-f]{64}"), "a hash of weights, which has 64 hexadecimal digits"),
}


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
        for run in request.source.runs:
            weights = _champion(run, request)
            if self._held.get(str(run), weights) != weights:
                raise CheckpointError(
                    f"{request.where}: {run}: its champion has the weights {weights[:16]}, "
                    f"{self._path} holds {self._held[str(run)][:16]}. Restore the champion that "
                    f"this project began with, or run `{UPDATE}` to go on with the new one."
                )
            self._commits[str(run)] = weights
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
    runs = {str(run): (run, r) for r in wanted for run in r.source.runs}
    locked = gather(
        [
            *(partial(_looked_up, *pair) for pair in pairs.values()),
            *(partial(_champion, *pair) for pair in runs.values()),
        ]
    )
    commits = dict(sorted(zip((*pairs, *runs), locked, strict=True)))
    _write(path, commits)
    return tuple(_told(name, before.get(name), commit) for name, commit in commits.items())


def read(path: Path = LOCK) -> dict[str, str]:
    """Return what is locked, by ORG/NAME@BRANCH or run:FOLDER; empty where there is no file.

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
    sections = data if isinstance(data, dict) else {}
    is_whole = "commits" in sections and sections.keys() <= _KINDS.keys()
    if not is_whole or not all(isinstance(section, dict) for section in sections.values()):
        raise ParamsError(f"{path}: must hold the mapping `commits`, and `runs` at most. {remedy}")
    for section, values in sections.items():
        pattern, legal = _KINDS[section]
        for name, value in values.items():
            if not (isinstance(value, str) and pattern.fullmatch(value)):
                raise ParamsError(f"{path}: {name}: {value!r} is not {legal}. {remedy}")
    return {name: value for values in sections.values() for name, value in values.items()}


def _fetched(request: ModelRequest, entry: ManifestEntry | None) -> dict[str, str]:
    """Return the commits of the models fetched earlier, for a lock that was lost or is new."""
    if entry is None or entry.source != request.source.text:
        return {}
    pairs = zip(request.source.places, (entry.revision, entry.adapter_revision), strict=False)
    return {str(hub): c for hub, c in pairs if hub in request.source.branches and c}


def _looked_up(branch: Hub, request: ModelRequest) -> str:
    with at(f"{request.where}: {branch}"):
        return commit_of(branch.repo, branch.revision)


def _champion(run: EarlierRun, request: ModelRequest) -> str:
    """Return the hash of the weights of a run's champion, as its card names it."""
    with at(f"{request.where}: {run}"):
        return champion_of(Path(run.path).expanduser()).weights_hash


def _told(name: str, before: str | None, now: str) -> str:
    if before is None:
        return f"{name}: locked at {now}"
    return f"{name}: still at {now}" if before == now else f"{name}: moved from {before} to {now}"


def _write(path: Path, commits: Mapping[str, str]) -> None:
    sections: dict[str, dict[str, str]] = {"commits": {}}
    for name, value in commits.items():
        sections.setdefault("runs" if name.startswith("run:") else "commits", {})[name] = value
    text = _HEAD + yaml.safe_dump(sections, sort_keys=True)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    write_whole(path, text)
