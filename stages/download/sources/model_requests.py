"""The models that params.yaml asks for, and one error that lists the faults of all of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from stages.download.manifest import BASE
from stages.download.sources.model_source import Local, ModelSource, parse
from stages.errors import CheckpointError, ParamsError
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
        """The key and the source: how a message about this model begins."""
        return f"{self.where}: {self.source.text}"


def requests(params: DownloadParams, out: Path) -> list[ModelRequest]:
    """Return what to fetch into ``out``: the base, then the fine-tunes in their order.

    Raises:
        ParamsError: a source or a name is not legal; every fault is listed, one a line.
    """
    asked = {BASE: ("params.yaml: download.base", params.base)}
    faults = []
    for name, text in params.parents.items():
        where = f"params.yaml: download.parents.{name}"
        if name == BASE:
            faults.append(f"{where}: the name {BASE} is the base model's. Give it another name.")
        asked[name] = (where, text)
    wanted = []
    for name, (where, text) in asked.items():
        try:
            source = parse(text, where=where)
        except ParamsError as error:
            faults.append(str(error))
            continue
        faults.extend(_inside(source, out, where))
        wanted.append(ModelRequest(name, source, where, params.trust_remote_code))
    if faults:
        raise ParamsError("\n".join(faults))
    return wanted


def gather(jobs: Iterable[Callable[[], T]]) -> list[T]:
    """Return what each of ``jobs`` returns.

    Raises:
        CheckpointError: at least one raised it; all messages are listed, one a line.
    """
    results, faults = [], []
    for job in jobs:
        try:
            results.append(job())
        except CheckpointError as error:
            faults.append(str(error))
    raise_all(faults)
    return results


def raise_all(faults: Iterable[str]) -> None:
    """Raise one CheckpointError that lists ``faults``, one a line; return if there are none."""
    lines = list(faults)
    if lines:
        raise CheckpointError("\n".join(lines))


def _inside(source: ModelSource, out: Path, where: str) -> list[str]:
    target = out.resolve()
    return [
        f"{where}: {local} is inside {out.as_posix()}, which this stage replaces. Move "
        "the model elsewhere in the project."
        for local in (source.model, source.adapter)
        if isinstance(local, Local)
        and Path(local.path).expanduser().resolve().is_relative_to(target)
    ]
