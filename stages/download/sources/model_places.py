"""Find the files of a model or an adapter: in the zoo, in a folder or on the hub."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from stages.checkpoint.safetensors_header import check_links
from stages.checkpoint.weight_files import WeightFiles, first_of, is_index
from stages.download.earlier_run import champion_of
from stages.download.sources.hub import Repository
from stages.download.sources.model_requests import ModelRequest
from stages.download.sources.model_source import EarlierRun, Hub, Local, Place, Zoo
from stages.download.sources.wanted_files import adapter_files, model_files
from stages.errors import CheckpointError, at
from stages.hashing import file_hash, nearest

ZOO = Path("data/zoo")


@dataclass(frozen=True, slots=True)
class Located:
    """The files of one model or adapter: they exist, but need not be fetched from the hub yet.

    ``weights`` are those among them that hold the weights; None for an adapter, and for a place
    whose files were only listed. ``called`` is how a message about them begins.
    """

    names: tuple[str, ...]
    folder: Path | None = None
    repository: Repository | None = None
    weights: WeightFiles | None = None
    called: str = field(default="", compare=False)
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
            with at(self.called):
                return self.repository.fetch(names)
        return self._local

    @property
    def _local(self) -> Path:
        if self.folder is None:
            raise TypeError("a located model has a folder or a repository")
        return self.folder


def locate(request: ModelRequest) -> tuple[Located, Located | None]:
    """Return the files of the model and of the adapter that are asked for.

    Raises:
        CheckpointError: there is no such folder, zoo model, repository or revision, or it holds
            no model.
    """
    source = request.source
    model = _located(source.model, request, partial(model_among, with_code=request.with_code))
    if source.adapter is None:
        return model, None
    return model, _located(source.adapter, request, adapter_among)


def model_among(listed: Located, *, with_code: bool = False) -> Located:
    """Return the model among the files of a place; of a hub's files, an index is fetched.

    Raises:
        CheckpointError: they are not a model, or its index is damaged or names a missing file.
    """
    first = first_of(listed.names)
    folder = listed.fetch([first]) if first and is_index(first) else None
    try:
        weights = WeightFiles.of(listed.names, folder / first if folder and first else None)
    except CheckpointError as error:
        raise CheckpointError(str(error).removeprefix(f"{folder}/")) from error
    names = model_files(listed.names, weights, with_code=with_code)
    return replace(listed, names=names, weights=weights)


def adapter_among(listed: Located) -> Located:
    """Return the adapter among the files of a place.

    Raises:
        CheckpointError: they are not an adapter.
    """
    return replace(listed, names=adapter_files(listed.names))


def files_in(folder: Path) -> Located:
    """Return the files of a folder on this machine.

    Raises:
        CheckpointError: a link in it leads out of it.
    """
    check_links(folder)
    names = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return Located(tuple(sorted(names)), folder)


def _located(
    location: Place, request: ModelRequest, among: Callable[[Located], Located]
) -> Located:
    text = f"zoo:{location.name}" if isinstance(location, Zoo) else str(location)
    called = f"{request.where}: {text}" if request.where else text
    with at(called):
        return replace(among(_listed(location)), called=called)


def _listed(location: Place) -> Located:
    if isinstance(location, Hub):
        repository = Repository.open(location.repo, location.revision)
        return Located(repository.names, repository=repository)
    if isinstance(location, EarlierRun):
        return files_in(champion_of(Path(location.path).expanduser()).folder)
    folder = ZOO / location.name if isinstance(location, Zoo) else Path(location.path).expanduser()
    if not folder.is_dir():
        raise CheckpointError(f"no such folder.{_advice(location, folder)}")
    return files_in(folder)


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
