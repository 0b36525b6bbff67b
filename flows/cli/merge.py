"""``germline merge``: one merge, without a search."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click

from flows.cli.named_places import named_places
from flows.merging.disk_faults import fault_of_disk
from flows.prefect_runtime.console import say, telling
from stages.errors import CheckpointError, GermlineError

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([kMGT]?)B?", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


class Size(click.ParamType[int]):
    """A number of bytes, as 5GB, 500MB or 1000000."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the number of bytes that a text stands for."""
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(str(value).strip())
        size = int(float(match[1]) * _UNITS[match[2].lower()]) if match else 0
        if size < 1:
            self.fail(
                f"{value!r} is not a size. Write 5GB, 500MB or a number of bytes.", param, ctx
            )
        return size


@click.command("merge")
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--as-mergekit",
    is_flag=True,
    help="Write the recipe of INPUT to the file OUT in MergeKit's language. Merge nothing.",
)
@click.option(
    "--dry-run", is_flag=True, help="Print the plan, or all that is wrong. Write nothing."
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan of --dry-run as JSON.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    help="Seed of random methods in a MergeKit file.  [default: 0]",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME=PLACE",
    help="Folder or hub id of a recipe's model; may be given again.",
)
@click.option(
    "--compat",
    type=click.Choice(["mergekit"]),
    help="Round, and place gradients, as MergeKit does.",
)
@click.option(
    "--stages",
    type=click.Path(path_type=Path),
    help="Folder for the models of named documents.  [default: OUT-stages]",
)
@click.option(
    "--shard-size",
    default="5GB",
    show_default=True,
    type=Size(),
    help="Largest weight file.",
)
@click.option("--threads", type=click.IntRange(1, 1024), help="[default: as many as cores]")
@click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A Python file with a merge method of your own; may be given again.",
)
@click.option("--offline", is_flag=True, help="Do not ask the hub; take what it sent before.")
def merge_command(  # noqa: PLR0913, PLR0917  # one parameter for each option
    source: Path,
    out: Path,
    as_mergekit: bool,
    dry_run: bool,
    as_json: bool,
    seed: int | None,
    models: tuple[str, ...],
    compat: str | None,
    stages: Path | None,
    shard_size: int,
    threads: int | None,
    plugins: tuple[Path, ...],
    offline: bool,
) -> None:
    """Merge models as INPUT says, into the new folder OUT.

    INPUT is a MergeKit file, a recipe (JSON), or the folder of a model that germline merged,
    which is then merged again. OUT is a model that transformers loads. It appears whole or not at
    all. Models are folders, or ORG/NAME@REVISION of the Hugging Face hub, with +ADAPTER for a
    LoRA.

    \b
    Example:
      germline merge ties.yml merged --dry-run
      germline merge ties.yml merged
      germline merge merged again
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    if as_json and not dry_run:
        raise click.UsageError("--json is of --dry-run: give both")
    pairs = named_places(models)

    def work() -> None:
        # Torch takes seconds to import, which help and usage errors need not wait for.
        from flows.inspection.terminal_text import json_text
        from flows.merging.merge_input import export, merge, preview
        from flows.merging.merge_job import Job
        from stages.merge.outputs.model_folder import num_cores

        job = Job(
            source=source,
            out=out,
            stages=stages or Path(f"{out}-stages"),
            seed=seed,
            shard_bytes=shard_size,
            threads=threads or num_cores(),
            offline=offline,
            compat=compat is not None,
            plugins=plugins,
            models=pairs,
        )
        if as_mergekit:
            export(job)
        elif dry_run:
            shown = preview(job)
            say(json_text(shown.data, sort_keys=True) if as_json else shown.text)
        else:
            _say_merged(out, merge(job), plugins)

    _guarded(work, out)


def _say_merged(out: Path, weights_hash: str, plugins: tuple[Path, ...]) -> None:
    """Say what was written, and how it is merged again."""
    say(f"{out}: weights {weights_hash}")
    extra = [part for path in plugins for part in ("--plugin", str(path))]
    again = ["germline", "merge", str(out), "OUT", *extra]
    say(f"The same models, and `{shlex.join(again)}`, give these weights again, bit for bit.")


def _guarded(job: Callable[[], None], out: Path) -> None:
    """Run ``job``; what the system refuses is said of ``out``, or of the model that was read."""

    def work() -> None:
        try:
            job()
        except GermlineError:
            raise
        except OSError as error:
            raise CheckpointError(fault_of_disk(error, out)) from error

    telling(work, stopped=f"{out} was not written")
