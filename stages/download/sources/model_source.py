"""Where a model comes from, as params.yaml spells it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from stages.errors import ParamsError
from stages.files import can_be_path

SPELLINGS = (
    "zoo:NAME, a folder (./FOLDER, ~/FOLDER, /FOLDER or local:FOLDER), ORG/NAME@REVISION on the "
    "Hugging Face hub, run:FOLDER (the champion of an earlier run), and any of these + the source "
    "of a LoRA adapter"
)
_ZOO_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PROJECT = (PurePosixPath(), PurePosixPath("/"), PurePosixPath("~"))
_PREFIX = re.compile(r"([a-z][a-z0-9]*):")


@dataclass(frozen=True, slots=True)
class Zoo:
    """A model of the bundled zoo."""

    name: str


@dataclass(frozen=True, slots=True)
class Local:
    """A folder on this machine; a relative path starts at the project."""

    path: PurePosixPath

    def __str__(self) -> str:
        is_relative = not self.path.is_absolute() and self.path.parts[0] not in ("..", "~")
        return f"./{self.path}" if is_relative else str(self.path)


@dataclass(frozen=True, slots=True)
class Hub:
    """A repository on the hub at a commit, tag or branch."""

    repo: str
    revision: str

    @property
    def is_commit(self) -> bool:
        """Whether the revision always names the same state; a tag or a branch can move."""
        return _COMMIT.fullmatch(self.revision) is not None

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}"


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """The champion of a run in another folder: a project's, or the champion's own."""

    path: PurePosixPath

    def __str__(self) -> str:
        return f"run:{self.path}"


Place = Zoo | Local | Hub | EarlierRun


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model's place, and the place of the adapter to apply to it, if any."""

    text: str
    model: Place
    adapter: Place | None = None

    @property
    def is_fixed(self) -> bool:
        """Whether the source always names the same bytes: only hub commits do."""
        return all(isinstance(part, Hub) and part.is_commit for part in self.places)

    @property
    def places(self) -> tuple[Place, ...]:
        """The places of the model and of its adapter, if any."""
        return (self.model,) if self.adapter is None else (self.model, self.adapter)

    @property
    def revisions(self) -> tuple[str | None, str | None]:
        """The revision of the model and that of the adapter; None where there is none."""
        model, adapter = (
            part.revision if isinstance(part, Hub) else None for part in (self.model, self.adapter)
        )
        return model, adapter

    @property
    def branches(self) -> tuple[Hub, ...]:
        """The places that a hub may move: branches and tags."""
        return tuple(p for p in self.places if isinstance(p, Hub) and not p.is_commit)

    @property
    def runs(self) -> tuple[EarlierRun, ...]:
        """The places that are earlier runs, whose champions may change."""
        return tuple(p for p in self.places if isinstance(p, EarlierRun))

    def at(self, commits: Mapping[str, str]) -> "ModelSource":
        """Return the same source with each branch and tag as its commit in ``commits``."""
        model, adapter = (
            Hub(p.repo, commits.get(str(p), p.revision)) if isinstance(p, Hub) else p
            for p in (self.model, self.adapter)
        )
        return replace(self, model=model or self.model, adapter=adapter)


def parse(text: str) -> ModelSource:
    """Return the source that ``text`` spells; all that is looked up is whether it is a folder.

    Raises:
        ParamsError: the spelling is not legal.
    """
    parts = [part.strip() for part in text.split("+")]
    if len(parts) > 2 or not all(parts):
        raise ParamsError(
            f"got {text!r}. A source is one model and at most one adapter, joined by a "
            "single +; rename a folder whose name holds a +."
        )
    try:
        return ModelSource(text, *(_place(part) for part in parts))
    except ParamsError as error:
        raise ParamsError(f"got {text!r}: {error}") from error


def _place(part: str) -> Place:
    prefix = _PREFIX.match(part)
    if prefix:
        rest = part[prefix.end() :]
        if prefix[1] == "zoo":
            return _zoo(rest)
        if prefix[1] == "local":
            return _local(rest)
        if prefix[1] == "run":
            return EarlierRun(_local(rest).path)
        raise ParamsError(f"unknown prefix {prefix[0]!r}. Legal: {SPELLINGS}.")
    if part.startswith((".", "/", "~")) or _is_folder(part):
        return _local(part)
    return _hub(part)


def _is_folder(part: str) -> bool:
    return "@" not in part and can_be_path(part) and Path(part).is_dir()


def _zoo(name: str) -> Zoo:
    if not _ZOO_NAME.fullmatch(name):
        raise ParamsError(f"{name!r} is not the name of a zoo model. Write zoo:NAME.")
    return Zoo(name)


def _local(text: str) -> Local:
    path = PurePosixPath(text)
    if not text or path in _PROJECT or not can_be_path(text):
        raise ParamsError(f"{text!r} names no folder of a model, as ./models/mine does.")
    return Local(path)


def _hub(text: str) -> Hub:
    repo, at, revision = text.partition("@")
    if not _REPO.fullmatch(repo) or ".." in repo:
        raise ParamsError(f"{text!r} names no model. Legal: {SPELLINGS}.")
    if not at or not revision:
        raise ParamsError(
            f"{repo!r} is taken for a hub repository and has no revision. Pin one, as "
            f"{repo}@<commit> (the 40 digits under Files, History) or {repo}@main; "
            f"or write zoo:{repo} or ./{repo} for a model that is here."
        )
    if not _REVISION.fullmatch(revision) or ".." in revision:
        raise ParamsError(
            f"{revision!r} is not a revision. Give a commit (40 digits), a tag or a branch."
        )
    return Hub(repo, revision)
