"""From a place (zoo, folder, hub) to files on this machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stages.download.hub import Repository
from stages.download.source import Hub, Local, Place, Source, Zoo
from stages.download.wanted_files import adapter_files, model_files
from stages.errors import CheckpointError
from stages.hashing import nearest

ZOO = Path("data/zoo")


@dataclass(frozen=True, slots=True)
class Located:
    """The files of one model or adapter: known to be there, not yet fetched from the hub."""

    names: tuple[str, ...]
    folder: Path | None = None
    repository: Repository | None = None

    @property
    def revision(self) -> str | None:
        """The hub commit, or None for what is on this machine."""
        return self.repository.commit if self.repository else None

    def fetch(self, names: Iterable[str]) -> Path:
        """Return a folder that holds ``names``; it may hold other files too and is only read."""
        if self.repository is not None:
            return self.repository.fetch(names)
        if self.folder is None:
            raise TypeError("a located model has a folder or a repository")
        return self.folder


def locate(
    source: Source, *, where: str, with_code: bool = False
) -> tuple[Located, Located | None]:
    """Return the files of the model and of the adapter that ``source`` names.

    Raises:
        CheckpointError: there is no such folder, zoo model, repository or revision, or it holds
            no model.
    """
    model = _listed(source.model, where)
    names = model_files(model.names, where=_at(where, source.model), with_code=with_code)
    located = Located(names, model.folder, model.repository)
    if source.adapter is None:
        return located, None
    adapter = _listed(source.adapter, where)
    names = adapter_files(adapter.names, where=_at(where, source.adapter))
    return located, Located(names, adapter.folder, adapter.repository)


def _at(where: str, place: Place) -> str:
    match place:
        case Zoo(name):
            return f"{where}: zoo:{name}"
        case Local(path):
            return f"{where}: ./{path}"
        case Hub(repo, revision):
            return f"{where}: {repo}@{revision}"


def _listed(place: Place, where: str) -> Located:
    if isinstance(place, Hub):
        repository = Repository.open(place.repo, place.revision, where=_at(where, place))
        return Located(repository.names, repository=repository)
    folder = ZOO / place.name if isinstance(place, Zoo) else Path(place.path)
    if not folder.is_dir():
        raise CheckpointError(f"{_at(where, place)}: no such folder.{_advice(place, folder)}")
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        if not path.resolve().is_relative_to(Path.cwd().resolve()):
            raise CheckpointError(
                f"{_at(where, place)}: {path.name} is a link that leads out of the project "
                "folder. Copy the file into the project."
            )
    return Located(tuple(sorted(p.relative_to(folder).as_posix() for p in files)), folder)


def _advice(place: Zoo | Local, folder: Path) -> str:
    legal = _folders(folder.parent)
    zoo = [name for name in _folders(ZOO) if name != folder.name]
    hint = nearest(folder.name, legal)
    if isinstance(place, Zoo):
        held = f"holds {', '.join(zoo)}" if zoo else "holds no model; run `dvc pull` or `git pull`"
        return f"{hint} {ZOO.as_posix()} {held}."
    beside = f" Beside it: {', '.join(legal[:8])}." if legal else ""
    return f"{hint}{beside} Paths are relative to the project folder."


def _folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
