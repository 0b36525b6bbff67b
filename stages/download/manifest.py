"""manifest.json: what was fetched from where, and the hashes that prove it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from stages.errors import CheckpointError
from stages.files import write_whole
from stages.hashing import file_hash
from stages.json_text import read_json
from stages.recipe.recipe import Model

PARENTS = Path("data/parents")
MANIFEST = "manifest.json"
MANIFEST_VERSION = 2
_WITHOUT_LICENCES = 1  # read too: its models' licences are not known
BASE = "base"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file: ``path`` relative to its model folder, ``size`` in bytes."""

    path: str
    size: int
    sha256: str

    @classmethod
    def of(cls, folder: Path, name: str) -> Self:
        """Return the entry of the file ``name`` in ``folder``."""
        path = folder / name
        return cls(name, path.stat().st_size, file_hash(path))


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """The manifest's entry for one model.

    ``revision`` and ``adapter_revision`` are hub commits, or None where the source has none.
    ``licence`` is what the cards say, or None where one names none. ``inputs`` are the files as
    they were fetched, ``files`` those in the model folder: equal, unless an adapter was applied
    or pickled weights were converted (``notes`` then says so).
    """

    name: str
    source: str
    revision: str | None
    adapter_revision: str | None
    licence: str | None
    inputs: tuple[FileEntry, ...]
    files: tuple[FileEntry, ...]
    notes: tuple[str, ...]
    weights_hash: str
    num_tensors: int
    num_parameters: int

    @property
    def model(self) -> Model:
        """The model, as recipes name it: with its place on the hub, if it is from there."""
        parts = [part.strip().partition("@")[0] for part in self.source.split("+")]
        revisions = (self.revision, self.adapter_revision)[: len(parts)]
        if None in revisions:
            return Model(self.name, self.weights_hash)
        places = (f"{part}@{revision}" for part, revision in zip(parts, revisions, strict=True))
        return Model(self.name, self.weights_hash, "+".join(places))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the entry that ``dataclasses.asdict`` made plain."""
        lists = {
            key: tuple(FileEntry(**file) for file in data[key]) for key in ("inputs", "files")
        }
        return cls(**{"licence": None, **data, **lists, "notes": tuple(data["notes"])})


@dataclass(frozen=True, slots=True)
class Parent:
    """A downloaded model: its name, the hash of its weights and the folder it is in."""

    name: str
    hash: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Parents:
    """The downloaded models: iterating gives the base, then the fine-tunes, in params order."""

    out: Path
    entries: tuple[ManifestEntry, ...]

    @classmethod
    def read(cls, out: Path) -> Self:
        """Return what ``out/manifest.json`` lists; each file is there and has its size.

        Raises:
            CheckpointError: the manifest or a file is missing or damaged.
        """
        entries = read_entries(out)
        for entry in entries:
            _check_sizes(out / entry.name, entry)
        return cls(out, tuple(entries))

    def __iter__(self) -> Iterator[Parent]:
        return (Parent(e.name, e.weights_hash, self.out / e.name) for e in self.entries)

    @property
    def base(self) -> Model:
        """The base, as recipes name it."""
        return self.entries[0].model

    @property
    def models(self) -> tuple[Model, ...]:
        """The fine-tunes in params order, as recipes name them."""
        return tuple(entry.model for entry in self.entries[1:])

    @property
    def base_folder(self) -> Path:
        """The folder of the base."""
        return self.out / BASE

    @property
    def sources(self) -> dict[str, str]:
        """Each model's source as params.yaml spelled it, by name, the base first."""
        return {e.name: e.source for e in self.entries}


def read_entries(out: Path) -> list[ManifestEntry]:
    """Return the entries of ``out/manifest.json``, the base first.

    Raises:
        CheckpointError: the manifest is missing, damaged or of another version.
    """
    path = out / MANIFEST
    remedy = "Run `dvc repro download` to fetch the parents."
    try:
        data = read_json(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file. {remedy}") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: not valid JSON: {error}. {remedy}") from error
    try:
        if data["version"] not in (MANIFEST_VERSION, _WITHOUT_LICENCES):
            raise CheckpointError(
                f"{path}: version is {data['version']!r}, this germline reads {MANIFEST_VERSION}. "
                f"{remedy}"
            )
        entries = [ManifestEntry.from_dict(model) for model in data["models"]]
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: damaged at {error}. {remedy}") from error
    if not entries or entries[0].name != BASE:
        raise CheckpointError(f"{path}: lists no base. {remedy}")
    return entries


def write_entries(out: Path, entries: Sequence[ManifestEntry]) -> None:
    """Write ``entries`` to ``out/manifest.json``; equal entries give equal bytes."""
    models = [asdict(entry) for entry in entries]
    data = {"models": models, "version": MANIFEST_VERSION}
    text = json.dumps(data, sort_keys=True, indent=2, ensure_ascii=False)
    write_whole(out / MANIFEST, text + "\n")


def file_entries(folder: Path, names: Iterable[str]) -> tuple[FileEntry, ...]:
    """Return the entries of the named files of ``folder``, sorted by name."""
    return tuple(FileEntry.of(folder, name) for name in sorted(names))


def _check_sizes(folder: Path, entry: ManifestEntry) -> None:
    for file in entry.files:
        path = folder / file.path
        size = path.stat().st_size if path.is_file() else None
        if size != file.size:
            got = "is missing" if size is None else f"has {size} bytes"
            raise CheckpointError(
                f"{path}: {got}, the manifest lists {file.size} bytes. Run `dvc checkout "
                f"{folder.parent.as_posix()}`, or `dvc repro -f download` to fetch it again."
            )
