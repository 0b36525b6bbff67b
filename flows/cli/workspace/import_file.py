"""``germline import``: another tool's search as params.yaml."""

import json
from pathlib import Path

import click


@click.command("import", short_help="Write params.yaml from a file of evolve or Mergenetic.")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("params.yaml"),
    show_default=True,
    help="The new file.",
)
@click.option("--base", metavar="SOURCE", help="The base model, where FILE names none.")
@click.option(
    "--layers",
    type=click.IntRange(min=1),
    help="How many layers the models have, where the base is not on this machine.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the params and the notes as JSON.")
def import_command(
    source: Path, out: Path, base: str | None, layers: int | None, as_json: bool
) -> None:
    """Write params.yaml from FILE, of MergeKit's evolve or of Mergenetic.

    What cannot be carried over is said, with the reason; where nothing like it can be searched,
    nothing is written.
    """
    from flows.prefect_runtime.console import say, telling

    def work() -> None:
        from flows.workspace.imports.import_search import import_search

        imported = import_search(source, out, base, layers)
        if as_json:
            click.echo(
                json.dumps({"params": imported.sections, "notes": imported.notes}, indent=2)
            )
            return
        for note in imported.notes:
            say(f"note: {note}")
        say(f"{out} is written; `germline doctor` checks it against models and tasks")

    telling(work, stopped="nothing was written")
