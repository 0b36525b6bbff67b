"""From folders and hub ids to model folders on this machine, and their weights hashes."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from filelock import FileLock

from flows.merging.weights_hashes import (
    cache_folder,
    keep_hash,
    known_hash,
    stamp_of,
    weights_stamp,
)
from stages.checkpoint.reader import Checkpoint, digest
from stages.checkpoint.staging_folder import staged, sweep
from stages.download.build import ModelJob, build
from stages.download.sources.hub import Repository, is_offline
from stages.download.sources.model_places import Located, adapter_among, files_in, model_among
from stages.download.sources.model_requests import ModelRequest
from stages.download.sources.model_source import Hub, Local, ModelSource
from stages.download.sources.wanted_files import check_files
from stages.errors import CheckpointError, GermlineError, at
from stages.files import write_whole
from stages.hashing import content_hash, nearest, weights_hash
from stages.json_text import read_json
from stages.recipe.model_reference import ModelReference

KEY_DIGITS = 32
CONVERSION = 2  # raised when the same files would be converted to others: part of every key


@dataclass(frozen=True, slots=True)
class Resolver:
    """Finds models, each once; with ``offline`` the hub is not asked, only what it sent before.

    ``notes`` say of the models found so far which files that look like weights were not read.
    """

    where: str
    offline: bool = False
    threads: int = 1
    notes: list[str] = field(default_factory=list)
    _known: dict[ModelReference, Path] = field(default_factory=dict)
    _commits: dict[tuple[str, str | None], str] = field(default_factory=dict)

    def folder(self, reference: ModelReference) -> Path:
        """Return the folder of a model, fetched, converted and with its adapter as need be.

        Raises:
            CheckpointError: there is no such folder or repository, it holds no model, or the
                adapter does not fit.
        """
        if reference not in self._known:
            self._known[reference] = self._made(reference)
        return self._known[reference]

    def check(self, reference: ModelReference) -> None:
        """Check that there is such a model, and such an adapter, by the names of their files.

        Raises:
            CheckpointError: there is not.
        """
        self._model(reference)
        if reference.adapter is not None:
            self._adapter(reference)

    def _called(self, reference: ModelReference) -> str:
        return f"{self.where}: {reference}" if self.where else str(reference)

    def _model(self, reference: ModelReference) -> Located:
        called = self._called(reference)
        with at(called):
            listed = self._listed(reference.path, reference.revision)
            return replace(model_among(listed, with_code=True), called=called)

    def _adapter(self, reference: ModelReference) -> Located:
        called = self._called(reference)
        with at(called):
            files = self._listed(str(reference.adapter), reference.adapter_revision)
        with at(f"{called}: the adapter"):
            return replace(adapter_among(files), called=called)

    def _made(self, reference: ModelReference) -> Path:
        model = self._model(reference)
        weights = model.weights
        self.notes.extend(f"{reference}: {note}" for note in (weights.notes if weights else ()))
        if reference.adapter is None and not (weights and weights.is_pickled):
            return _fetched(model)
        adapter = None if reference.adapter is None else self._adapter(reference)
        request = ModelRequest("model", _source_of(reference, model), self.where)
        return _built(request, model, adapter)

    def public_place(self, reference: ModelReference) -> str | None:
        """Return where anybody finds a model, ``ORG/NAME@COMMIT``; None for a folder."""
        commit = self._commits.get((reference.path, reference.revision))
        adapter = reference.adapter
        if commit is None or adapter is None:
            return None if commit is None else f"{reference.path}@{commit}"
        adapters = self._commits.get((adapter, reference.adapter_revision))
        return None if adapters is None else f"{reference.path}@{commit}+{adapter}@{adapters}"

    def hash(self, model: Checkpoint) -> str:
        """Return a model's weights hash, read from the cache where its files are as they were."""
        known = known_hash(model.folder)
        if known is not None:
            return known
        stamp = weights_stamp(model.folder)
        weights = self._hashed(model)
        if weights_stamp(model.folder) == stamp:  # nobody wrote to it meanwhile
            keep_hash(stamp, weights)
        return weights

    def _hashed(self, model: Checkpoint) -> str:
        with ThreadPoolExecutor(self.threads) as pool:
            digests = list(pool.map(lambda name: digest(model.read(name)), model.tensors))
        infos = model.tensors.items()
        return weights_hash(
            {n: (i.dtype, i.shape, d) for (n, i), d in zip(infos, digests, strict=True)}
        )

    def _listed(self, path: str, revision: str | None) -> Located:
        folder = Path(path).expanduser()
        if folder.is_dir():
            if revision is not None:
                raise CheckpointError(
                    f"{path} is a folder, which has no revisions. Remove @{revision}."
                )
            return files_in(folder)
        if folder.is_absolute() or path.startswith((".", "~")) or path.count("/") > 1:
            raise CheckpointError(
                f"no such folder.{_near_folder(folder)} Give a folder, or ORG/NAME of the hub."
            )
        if not (self.offline or is_offline()):
            located = _of_hub(path, revision or "main")
            self._commits[path, revision] = str(located.revision)
            return located
        switch = (
            "Run once without --offline" if self.offline else "HF_HUB_OFFLINE is set. Run once"
        )
        advice = f"{switch} where the hub can be reached, with the same HF_HOME, or give a folder."
        repository = Repository.cached(path, revision or "main", unasked=advice)
        if repository is None:
            raise CheckpointError(
                f"no such folder, and not among what the hub sent before."
                f"{_near_folder(folder)} {advice}"
            )
        self._commits[path, revision] = repository.commit
        return Located(repository.names, repository=repository)


def _fetched(model: Located) -> Path:
    """Return the folder of a model's files; those of the hub are checked when they are new."""
    if model.repository is None:
        return _checked(model)
    asked = [model.repository.repo, model.repository.commit, *model.names]
    path = cache_folder() / "hub" / f"{content_hash(asked)}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):  # damaged: written again
        note = read_json(path)
        folder = Path(note["folder"])
        if folder.is_dir() and note["stamp"] == stamp_of(folder, model.names):
            model.repository.remember(folder)
            return folder
    folder = _checked(model)
    model.repository.remember(folder)
    known = {"folder": str(folder), "stamp": stamp_of(folder, model.names)}
    with suppress(OSError):  # else its files are checked again next time
        write_whole(path, json.dumps(known) + "\n")
    return folder


def _checked(model: Located) -> Path:
    folder = model.fetch(model.names)
    with at(model.called):
        check_files(folder, model.light)
    return folder


def _of_hub(path: str, revision: str) -> Located:
    try:
        repository = Repository.open(path, revision)
    except CheckpointError as error:
        hint = _near_folder(Path(path))
        raise CheckpointError(f"{error} There is no folder {path} either.{hint}") from error
    return Located(repository.names, repository=repository)


def _near_folder(folder: Path) -> str:
    """Return a hint at the folder next to a missing one whose name is nearest."""
    parent = folder.parent
    names = [p.name for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []
    return nearest(folder.name, sorted(names))


def _built(request: ModelRequest, model: Located, adapter: Located | None) -> Path:
    """Return the folder of a model that is made of others, from the cache or made now.

    Its key covers every file that it is made of. Of processes that want it at once, one makes it
    and the others wait.
    """
    parts = [located for located in (model, adapter) if located is not None]
    folders = [_fetched(located) for located in parts]
    stamps = [stamp_of(f, part.names) for f, part in zip(folders, parts, strict=True)]
    out = cache_folder() / "models" / content_hash([CONVERSION, *stamps])[:KEY_DIGITS]
    with _cache_faults():
        if out.is_dir():
            return out
    job = ModelJob(request, folders[0], model=model, adapter=adapter)
    with _cache_faults():
        out.parent.mkdir(parents=True, exist_ok=True)
        sweep(out.parent)
        with _alone(out):
            if not out.is_dir():
                _make(job, out)
    return out


def _source_of(reference: ModelReference, model: Located) -> ModelSource:
    repository = Hub(reference.path, reference.revision or "main") if model.repository else None
    return ModelSource(str(reference), repository or Local(PurePosixPath(reference.path)))


@contextmanager
def _cache_faults() -> Iterator[None]:
    """Say of the cache what goes wrong in it, and of a source what goes wrong there.

    Raises:
        CheckpointError: the message names the folder or file, the reason and what to do.
    """
    folder = cache_folder().absolute()
    try:
        yield
    except GermlineError:
        raise
    except OSError as error:
        path = Path(error.filename or folder).absolute()
        if not (path.is_relative_to(folder) or folder.is_relative_to(path)):
            raise CheckpointError(
                f"{path}: cannot be read: {error.strerror}. Give yourself the right to read it."
            ) from error
        raise CheckpointError(
            f"{folder}: the cache of germline merge cannot be written: {error.strerror}. Set "
            "GERMLINE_CACHE to a folder with room in which you may write."
        ) from error


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Wait until no other process makes ``out``; on a disk without locks each makes its own."""
    with ExitStack() as locks:
        with suppress(NotImplementedError):
            locks.enter_context(FileLock(out.with_name(f".{out.name}.lock")))
        yield


def _make(job: ModelJob, out: Path) -> None:
    """Build a model at ``out``, which appears whole; what another process put there stays."""
    named = replace(job, request=replace(job.request, name=out.name))
    with suppress(FileExistsError), staged(out) as folder:
        build(named, folder.parent, folder.parent)
