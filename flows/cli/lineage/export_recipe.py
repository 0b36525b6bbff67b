"""``germline export``: the recipe of one candidate as a file."""

from pathlib import Path

import click

from flows.cli.candidate_names import candidates


@click.command("export", short_help="Write a candidate's recipe as JSON or as a MergeKit file.")
@click.argument("candidate", metavar="ID", shell_complete=candidates)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["recipe", "mergekit"]),
    help="germline's recipe (JSON), or a MergeKit file (YAML) where one can say it.  "
    "[default: as FILE ends, .json or .yml; else recipe]",
)
@click.option("--force", is_flag=True, help="Replace FILE where it is there.")
def export_command(candidate: str, file: Path | None, kind: str | None, force: bool) -> None:
    """Write the recipe of a candidate of the lineage to FILE, or print it.

    ID is a name, at least 4 digits with which a recipe id or weights hash begins, or champion.
    `germline merge FILE OUT` then makes the same weights.

    \b
    Example:
      germline export champion champion.json
      germline export g05-c03 g05-c03.yml
      germline export g05-c03 --format mergekit
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    from flows.inspection.reading import reading

    with reading() as lineage:
        from flows.inspection.rows.lineage_export import write_new
        from flows.inspection.rows.recipe_export import export_kind, recipe_json, recipe_mergekit
        from flows.inspection.terminal_text import printable

        row = lineage.row(candidate)
        if export_kind(file, kind) == "mergekit":
            text = recipe_mergekit(lineage, row.recipe, row.name)
        else:
            text = recipe_json(row.recipe)
        if file is None:
            click.echo(printable(text), nl=False)
        else:
            write_new(file, text.encode(), force=force)
            click.echo(f"{file}: the recipe of {printable(row.name)}")
