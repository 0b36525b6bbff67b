"""Find the files of a model or an adapter: in the zoo, in a folder or on the hub."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from stages.checkpoint.safetensors_header import check_links
from stages.checkpoint.weight_files import WeightFiles, first_of, is_index
from stages.download.earlier_run import champion_of
from stages.download.sources.hub import Repository
from stages.download.sources.model_source import (
    EarlierRun,
    Hub,
    Local,
    ModelSource,
    Place,
    Zoo,
)
from stages.download.sources.wanted_files import adapter_files, model_files
from stages.errors import CheckpointError, at
from stages.hashing import file_hash, nearest

ZOO = Path("data/zoo")


@dataclass(frozen=True, slots=True)
class Located:
    """The files of one model or adapter: they exist, but need not be fetched from the hub yet.

    ``weights`` are those among them that hold the weights; None for an adapter, and for a place
    whose files were only listed.
    """

    names: tuple[str, ...]
    folder: Path | None = None
    repository: Repository | None = None
    weights: WeightFiles | None = None
    _hashes: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def revision(self) -> str | None:
        """The hub commit, or None for what is on this machine."""
        return self.repository.commit if self.repository else None

    @property
    def light(self) -> tuple[str, ...]:
        """The files that are not weights: the small ones."""
        weights = self.weights.names if self.weights else ()
        return tuple(name for name in self.names if name not in weights)

    def num_bytes(self, names: Iterable[str]) -> int:
        """Return the size of the named files, which need not be fetched yet."""
        if self.repository is not None:
            return sum(self.repository.files[name][0] or 0 for name in names)
        return sum((self._local / name).stat().st_size for name in names)

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of a file that ``fetch`` returned; none is read twice for it."""
        if self.repository is not None:
            return self.repository.sha256(name)
        if name not in self._hashes:
            self._hashes[name] = file_hash(self._local / name)
        return self._hashes[name]

    def fetch(self, names: Iterable[str]) -> Path:
        """Return a folder that holds ``names``; it may hold other files too and is only read."""
        if self.repository is not None:
            return self.repository.fetch(names)
        return self._local

    @property
    def _local(self) -> Path:
        if self.folder is None:
            raise TypeError("a located model has a folder or a repository")
        return self.folder


def locate(
    source: ModelSource, *, where: str, with_code: bool = False
) -> tuple[Located, Located | None]:
    """Return the files of the model and of the adapter that ``source`` names.

    Raises:
        CheckpointError: there is no such folder, zoo model, repository or revision, or it holds
            no model.
    """
    listed = _listed(source.model, where)
    model = model_among(listed, where=_at(where, source.model), with_code=with_code)
    if source.adapter is None:
        return model, None
    adapter_files = _listed(source.adapter, where)
    return model, adapter_among(adapter_files, where=_at(where, source.adapter))


def model_among(listed: Located, *, where: str, with_code: bool = False) -> Located:
    """Return the model among the files of a place; of a hub's files, an index is fetched.

    Raises:
        CheckpointError: they are not a model, or its index is damaged or names a missing file.
    """
    first = first_of(listed.names)
    folder = listed.fetch([first]) if first and is_index(first) else None
    try:
        weights = WeightFiles.of(listed.names, folder / first if folder and first else None)
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {str(error).removeprefix(f'{folder}/')}") from error
    names = model_files(listed.names, weights, where=where, with_code=with_code)
    return replace(listed, names=names, weights=weights)


def adapter_among(listed: Located, *, where: str) -> Located:
    """Return the adapter among the files of a place.

    Raises:
        CheckpointError: they are not an adapter.
    """
    return replace(listed, names=adapter_files(listed.names, where=where))


def _at(where: str, location: Place) -> str:
    match location:
        case Zoo(name):
            return f"{where}: zoo:{name}"
        case Local() | EarlierRun():
            return f"{where}: {location}"
        case Hub(repo, revision):
            return f"{where}: {repo}@{revision}"


def _listed(location: Place, where: str) -> Located:
    if isinstance(location, Hub):
        repository = Repository.open(location.repo, location.revision, where=_at(where, location))
        return Located(repository.names, repository=repository)
    if isinstance(location, EarlierRun):
        with at(_at(where, location)):
            champion = champion_of(Path(location.path).expanduser())
        return files_in(champion.folder, where=_at(where, location))
    folder = ZOO / location.name if isinstance(location, Zoo) else Path(location.path).expanduser()
    if not folder.is_dir():
        raise CheckpointError(
            f"{_at(where, location)}: no such folder.{_advice(location, folder)}"
        )
    return files_in(folder, where=_at(where, location))


def files_in(folder: Path, *, where: str) -> Located:
    """Return the files of a folder on this machine.

    Raises:
        CheckpointError: a link in it leads out of it.
    """
    try:
        check_links(folder)
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {error}") from error
    names = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return Located(tuple(sorted(names)), folder)


def _advice(location: Zoo | Local, folder: Path) -> str:
    legal = _folders(folder.parent)
    zoo = [name for name in _folders(ZOO) if name != folder.name]
    hint = nearest(folder.name, legal)
    if isinstance(location, Zoo):
        content = (
            f"holds {', '.join(zoo)}" if zoo else "holds no model; run `dvc pull` or `git pull`"
        )
        return f"{hint} {ZOO.as_posix()} {content}."
    neighbours = f" Next to it: {', '.join(legal[:8])}." if legal else ""
    return f"{hint}{neighbours} Relative paths start at the project folder."


def _folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
