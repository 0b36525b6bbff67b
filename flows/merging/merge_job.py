"""What ``germline merge`` is asked to do, and the last step of all ways to do it: writing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from flows.inspection.terminal_text import can_draw
from flows.merging.kept_weights import kept_weights
from flows.merging.model_cache import Resolver
from flows.merging.weights_hashes import remember
from flows.prefect_runtime.console import say
from stages.errors import CheckpointError, at
from stages.files import check_room
from stages.licences import remarks
from stages.merge.outputs.model_card import licences_in
from stages.merge.outputs.model_folder import copy_model, write_model
from stages.merge.outputs.preview import bytes_written
from stages.merge.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class Job:
    """The input (a MergeKit file, a recipe or a child's folder), where to, and how.

    ``seed`` and ``compat`` are of MergeKit files, ``models`` are the places of a recipe's models
    by their names. ``say`` takes the notes, a line each; ``has_bar``: progress is shown at a
    terminal.
    """

    source: Path
    out: Path
    stages: Path
    seed: int | None
    shard_bytes: int
    threads: int
    offline: bool
    compat: bool
    plugins: tuple[Path, ...] = ()
    models: tuple[tuple[str, str], ...] = ()
    say: Callable[[str], None] = say
    has_bar: bool = True

    @property
    def label(self) -> str:
        """What messages call the input: a file's name, a folder's path."""
        return str(self.source) if self.source.is_dir() else self.source.name

    def resolver(self, where: str) -> Resolver:
        """Return what finds the models of the input; its messages begin with ``where``."""
        return Resolver(where, offline=self.offline, threads=self.threads)

    def check_out(self) -> None:
        """Check that ``out`` names a new folder, or one that is empty.

        Raises:
            CheckpointError: it does not, or ``stages`` is the same folder or inside it.
        """
        if self.out.name in ("", "..") or self.out.is_symlink():
            kind = "a link" if self.out.is_symlink() else "not the name of a folder"
            raise CheckpointError(f"OUT: {str(self.out)!r} is {kind}. Give a new folder.")
        if self.stages.absolute().is_relative_to(self.out.absolute()):
            raise CheckpointError(f"--stages: {self.stages} is inside OUT. Give another folder.")
        if self.out.exists() and not (self.out.is_dir() and not any(self.out.iterdir())):
            raise CheckpointError(
                f"{self.out}: already there. Remove it, or write to another folder."
            )


def write(job: Job, plan: Plan, folder: Path) -> str:
    """Carry out a plan, or copy its child from the store; return the weights hash at ``folder``.

    Raises:
        GermlineError: a tensor cannot be merged, or there is no room.
    """
    with at(plan.label):
        check_room({folder: bytes_written(plan)})
    with kept_weights(plan) as child:
        if child is None:
            weights_hash = _merged(job, plan, folder)
        else:
            weights_hash = copy_model(plan, child, folder, shard_bytes=job.shard_bytes)
            job.say(
                f"{folder}: copied from the candidate store, which keeps this recipe's weights"
            )
    for line in remarks(licences_in(plan)):
        job.say(f"note: {line}")
    unkept = remember(folder, weights_hash)
    if unkept is not None:
        job.say(f"note: {unkept}")
    return weights_hash


def _merged(job: Job, plan: Plan, folder: Path) -> str:
    label, total = f"{plan.method.spec.name} {folder.name}", bytes_written(plan)
    with bytes_bar(label, total, is_shown=job.has_bar) as note:
        return write_model(
            plan, folder, shard_bytes=job.shard_bytes, threads=job.threads, note=note
        )


@contextmanager
def bytes_bar(label: str, total: int, *, is_shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Give a function that takes note of bytes written, and show them at a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    is_disabled = not (is_shown and can_draw(console))
    with Progress(*columns, console=console, disable=is_disabled) as progress:
        task = progress.add_task(label, total=total)
        yield lambda num_bytes: progress.advance(task, num_bytes)
