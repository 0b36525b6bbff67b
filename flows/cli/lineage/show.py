"""``germline lineage show``: all that is known of one candidate."""

import click

from flows.cli.candidate_names import candidates
from flows.cli.lineage.half_option import Half, half_option


@click.command("show", short_help="Show one candidate, and how to rebuild it.")
@click.argument("candidate", metavar="ID", shell_complete=candidates)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@half_option
def show_command(candidate: str, as_json: bool, half: Half | None) -> None:
    """Show one candidate: scores, genes, ancestors, recipe, inputs, and how to rebuild it.

    ID is a name, at least 4 digits with which a recipe id or weights hash begins, or champion.

    \b
    Example:
      germline lineage show g05-c03
      germline lineage show champion --json
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    from flows.inspection.reading import reading

    with reading(half) as lineage:
        from flows.inspection.rows.row_details import details_of, print_details
        from flows.inspection.terminal_text import json_text, plain_console

        row = lineage.row(candidate)
        if as_json:
            click.echo(json_text(details_of(lineage, row)))
        else:
            print_details(plain_console(), lineage, row)
