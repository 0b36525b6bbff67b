"""``germline lineage ancestors``: the tree of those that a candidate descends from."""

import click

from flows.cli.candidate_names import candidates
from flows.cli.lineage.half_option import Half, half_option


@click.command("ancestors", short_help="Show the candidates that one was drawn from.")
@click.argument("candidate", metavar="ID", shell_complete=candidates)
@click.option("--depth", type=click.IntRange(min=1), help="Only so many steps back.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@half_option
def ancestors_command(candidate: str, depth: int | None, as_json: bool, half: Half | None) -> None:
    """Show the candidates that ID was drawn from, back to the warm starts, with their fitness.

    A candidate that comes more than once is spelled out where it is nearest to ID.

    \b
    Example:
      germline lineage ancestors champion --depth 2
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    from flows.inspection.reading import reading

    with reading(half) as lineage:
        from flows.inspection.rows.family_tree import family_data, family_of, print_family
        from flows.inspection.terminal_text import json_text, plain_console

        family = family_of(lineage, lineage.row(candidate), depth)
        if as_json:
            click.echo(json_text(family_data(lineage, family)))
        else:
            print_family(plain_console(), lineage, family)
