"""``germline materialize``: a model of the run as a folder."""

from pathlib import Path

import click


@click.command("materialize", short_help="Write a model of the run as a folder with its card.")
@click.argument("model", metavar="ID")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def materialize_command(model: str, out: Path, as_json: bool) -> None:
    """Write a model of the run to the new folder OUT, which transformers loads.

    ID is a candidate of the lineage, by its name or by how its recipe id or weights hash begins;
    champion; or a parent or baseline of the selection. The model is merged again, and its weights
    must be those that were scored. The folder holds a card with scores, recipe and licences, and
    MergeKit's YAML where its language can say the recipe. It appears whole or not at all.

    \b
    Example:
      germline materialize champion my-model
      germline materialize g05-c03 g05-c03
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    from flows.prefect_runtime.console import say, telling

    target = out.absolute()

    def work() -> None:
        from flows.inspection.project_folder import at_project
        from flows.inspection.terminal_text import json_text
        from flows.publishing.materialized_folder import check_new, materialize
        from flows.publishing.run_model import run_model
        from stages.params.load import load_params

        check_new(target)
        with at_project():
            done = materialize(run_model(model), target, load_params().merge)
        if as_json:
            say(json_text(done.to_dict()))
            return
        say(f"{out}: {done.name}, recipe {done.id[:16]}, weights {done.weights_hash}")
        if done.mergekit is None:
            say(f"no MergeKit file: {done.why_not}")
        for note in done.notes:
            say(f"note: {note}")

    telling(work, stopped=f"{out} was not written")
