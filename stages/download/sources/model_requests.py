"""The models that params.yaml asks for, and one error that lists the faults of all of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from stages.download.earlier_run import CHAMPION
from stages.download.manifest import BASE
from stages.download.sources.model_source import EarlierRun, Local, ModelSource, parse
from stages.errors import CheckpointError, Faults, ParamsError
from stages.params.download_params import DownloadParams

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One model to fetch; ``where`` is its key in params.yaml, for messages."""

    name: str
    source: ModelSource
    where: str
    with_code: bool = False

    @property
    def at(self) -> str:
        """The key, if there is one, and the source: how a message about this model begins."""
        return f"{self.where}: {self.source.text}" if self.where else self.source.text

    @property
    def without_adapter(self) -> "ModelRequest":
        """The request for the model alone."""
        return replace(self, source=replace(self.source, adapter=None))


def requests(params: DownloadParams, out: Path) -> list[ModelRequest]:
    """Return what to fetch into ``out``: the base, then the fine-tunes in their order.

    Raises:
        ParamsError: a source or a name is not legal; every fault is listed, one a line.
    """
    asked = {BASE: ("params.yaml: download.base", params.base)}
    for name, text in params.parents.items():
        asked[name] = (f"params.yaml: download.parents.{name}", text)
    wanted, faults = [], Faults()
    for name, (where, text) in asked.items():
        with faults.at(where):
            source = parse(text)
            for local in _inside(source, out):
                faults.add(
                    f"{local} is inside {out.as_posix()}, which this stage replaces. Move "
                    "the model elsewhere in the project."
                )
            for part in source.places:
                if isinstance(part, EarlierRun | Local) and _is_own(part):
                    faults.add(
                        f"{part} is the champion of this project, which each run replaces. Copy "
                        "the champion's folder, or start from the project that it was copied from."
                    )
            wanted.append(ModelRequest(name, source, where, params.trust_remote_code))
    if BASE in params.parents:
        with faults.at(f"params.yaml: download.parents.{BASE}"):
            faults.add(f"the name {BASE} is the base model's. Give it another name.")
    faults.raise_as(ParamsError)
    return wanted


def gather(jobs: Iterable[Callable[[], T]]) -> list[T]:
    """Return what each of ``jobs`` returns.

    Raises:
        CheckpointError: at least one raised it; all messages are listed, one a line.
    """
    results, faults = [], Faults()
    for job in jobs:
        with faults.at(""):
            results.append(job())
    faults.raise_as(CheckpointError)
    return results


def raise_all(faults: Iterable[str]) -> None:
    """Raise one CheckpointError that lists ``faults``, one a line; return if there are none."""
    collected = Faults()
    for fault in faults:
        collected.add(fault)
    collected.raise_as(CheckpointError)


def _is_own(part: EarlierRun | Local) -> bool:
    """Return whether a source is the project in the working directory, or its champion."""
    folder = Path(part.path).expanduser().resolve()
    return folder in (Path.cwd(), (Path.cwd() / CHAMPION).resolve())


def _inside(source: ModelSource, out: Path) -> list[Local]:
    """Return the folders of a source that lie in ``out``."""
    target = out.resolve()
    return [
        local
        for local in (source.model, source.adapter)
        if isinstance(local, Local)
        and Path(local.path).expanduser().resolve().is_relative_to(target)
    ]
