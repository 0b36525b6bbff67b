"""From folders and hub ids to model folders on this machine, and their weights hashes."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from huggingface_hub import snapshot_download
from platformdirs import user_cache_path

from stages.checkpoint.reader import Checkpoint, digest
from stages.download.build import Job, build
from stages.download.hub import Repository
from stages.download.places import Located
from stages.download.request import Request
from stages.download.source import Hub, Local, Source
from stages.download.wanted_files import adapter_files, is_pickled, model_files
from stages.errors import CheckpointError
from stages.hashing import content_hash, nearest, weights_hash
from stages.recipe.model_reference import ModelReference

KEY_DIGITS = 32


def cache_folder() -> Path:
    """Return the folder of what can be computed again; ``GERMLINE_CACHE`` moves it."""
    return Path(os.environ.get("GERMLINE_CACHE") or user_cache_path("germline"))


@dataclass(frozen=True, slots=True)
class Resolver:
    """Finds models, each once; with ``offline`` the hub is not asked, only what it sent before."""

    where: str
    offline: bool = False
    threads: int = 1
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

    def _made(self, reference: ModelReference) -> Path:
        where = f"{self.where}: {reference}"
        model = self._located(reference.path, reference.revision, where)
        is_plain = reference.adapter is None and not any(is_pickled(n) for n in model.names)
        if is_plain:
            return _fetched(model)
        adapter = None
        if reference.adapter is not None:
            found = self._found(reference.adapter, reference.adapter_revision, where)
            names = adapter_files(found.names, where=f"{where}: the adapter")
            adapter = Located(names, found.folder, found.repository)
        return _built(reference, model, adapter, where)

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
        stamp = content_hash(_stamps(model.folder))
        known = self.known_hash(model)
        if known is not None:
            return known
        found = self._hashed(model)
        if content_hash(_stamps(model.folder)) == stamp:  # nobody wrote to it meanwhile
            remember(model.folder, found)
        return found

    def known_hash(self, model: Checkpoint) -> str | None:
        """Return a model's weights hash where the cache has it; no weight is read."""
        path = _hash_file(content_hash(_stamps(model.folder)))
        text = path.read_text(encoding="ascii").strip() if path.is_file() else ""
        return text if len(text) == 64 else None

    def _hashed(self, model: Checkpoint) -> str:
        with ThreadPoolExecutor(self.threads) as pool:
            digests = list(pool.map(lambda name: digest(model.read(name)), model.tensors))
        infos = model.tensors.items()
        return weights_hash(
            {n: (i.dtype, i.shape, d) for (n, i), d in zip(infos, digests, strict=True)}
        )

    def _located(self, path: str, revision: str | None, where: str) -> Located:
        found = self._found(path, revision, where)
        names = model_files(found.names, where=where, with_code=True)
        return Located(names, found.folder, found.repository)

    def _found(self, path: str, revision: str | None, where: str) -> Located:
        folder = Path(path).expanduser()
        if folder.is_dir():
            if revision is not None:
                raise CheckpointError(
                    f"{where}: {path} is a folder, which has no revisions. Remove @{revision}."
                )
            return _of_folder(folder)
        if folder.is_absolute() or path.startswith((".", "~")) or path.count("/") > 1:
            beside = folder.parent
            legal = [p.name for p in beside.iterdir() if p.is_dir()] if beside.is_dir() else []
            raise CheckpointError(
                f"{where}: no such folder.{nearest(folder.name, sorted(legal))} Give a folder, or "
                "ORG/NAME of the hub."
            )
        if not self.offline:
            located = _of_hub(path, revision or "main", where)
            self._commits[path, revision] = str(located.revision)
            return located
        try:
            held = snapshot_download(path, revision=revision, local_files_only=True)
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{where}: no such folder, and not among what the hub sent before. Run once "
                "without --offline, or give a folder."
            ) from error
        self._commits[path, revision] = Path(held).name  # the cache calls folders after commits
        return _of_folder(Path(held))


def remember(folder: Path, weights_hash: str) -> None:
    """Keep the weights hash of a model folder, for as long as its files stay as they are."""
    _keep(_hash_file(content_hash(_stamps(folder))), weights_hash)


def _hash_file(stamp: str) -> Path:
    return cache_folder() / "weights" / f"{stamp}.txt"


def _fetched(model: Located) -> Path:
    """Return the folder of a model's files; those of the hub are checked when they are new."""
    if model.repository is None:
        return model.fetch(model.names)
    asked = [model.repository.repo, model.repository.commit, *model.names]
    path = cache_folder() / "hub" / f"{content_hash(asked)}.json"
    if path.is_file():
        held = json.loads(path.read_text(encoding="utf-8"))
        folder = Path(held["folder"])
        if folder.is_dir() and held["stamp"] == content_hash(_stamps(folder)):
            return folder
    folder = model.fetch(model.names)
    _keep(path, json.dumps({"folder": str(folder), "stamp": content_hash(_stamps(folder))}))
    return folder


def _keep(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(f"{text}\n", encoding="utf-8")
    partial.replace(path)


def _of_hub(path: str, revision: str, where: str) -> Located:
    try:
        repository = Repository.open(path, revision, where=where)
    except CheckpointError as error:
        beside = Path(path).parent
        folders = [p.name for p in beside.iterdir() if p.is_dir()] if beside.is_dir() else []
        hint = nearest(Path(path).name, sorted(folders))
        raise CheckpointError(f"{error} There is no folder {path} either.{hint}") from error
    return Located(repository.names, repository=repository)


def _of_folder(folder: Path) -> Located:
    names = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return Located(tuple(sorted(names)), folder)


def _built(reference: ModelReference, model: Located, adapter: Located | None, where: str) -> Path:
    """Return the folder of a model that is made of others, from the cache or made now."""
    parts = [located for located in (model, adapter) if located is not None]
    folders = [_fetched(located) for located in parts]
    key = content_hash([_stamps(folder) for folder in folders])[:KEY_DIGITS]
    out = cache_folder() / "models"
    if (out / key).is_dir():
        return out / key
    staging = out / f".{key}.{os.getpid()}"
    place = Hub(reference.path, reference.revision or "main") if model.repository else None
    source = Source(str(reference), place or Local(PurePosixPath(reference.path)))
    job = Job(Request("model", source, where), folders[0], model=model, adapter=adapter)
    staging.mkdir(parents=True, exist_ok=True)
    build(job, staging, staging)
    (staging / "model").rename(out / key)
    staging.rmdir()
    return out / key


def _stamps(folder: Path) -> list[list[str | int]]:
    """Return what tells whether a folder's weights and configs are as they were, unread."""
    names = sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".bin", ".json"))
    found: list[list[str | int]] = []
    for path in names:
        real = path.resolve()
        stat = real.stat()
        found.append([path.name, str(real), stat.st_size, stat.st_mtime_ns, stat.st_ino])
    return found
