"""``germline lineage list``: the candidates of a search, filtered and sorted."""

import click

from flows.cli.lineage.generation_range import GenerationRange
from flows.cli.lineage.half_option import Half, half_option
from flows.cli.wrong_usage import as_usage


@click.command("list")
@click.option(
    "--sort",
    metavar="KEY",
    help="Column, task, or SPLIT.TASK; scores the best first.  [default: the --task, or fitness]",
)
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option(
    "--task", "tasks", multiple=True, help="Show the scores of this task; may be given again."
)
@click.option(
    "--generation",
    "generations",
    type=GenerationRange(),
    metavar="N|N-M",
    help="Only this generation, or these.",
)
@click.option("--status", type=click.Choice(["ok", "failed"]), help="Only rows of this status.")
@click.option(
    "--method", "methods", multiple=True, help="Only this merge method; may be given again."
)
@click.option(
    "--where",
    multiple=True,
    metavar="COMPARISON",
    help="Only rows where it holds, such as 'fitness>0.7', 'validation.math>=0.5', "
    "'ancestors~g03-c01' or 'error!=none'; may be given again, and all must hold.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first rows.")
@click.option("--json", "as_json", is_flag=True, help="Print whole rows as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print whole rows as CSV.")
@half_option
def list_command(  # noqa: PLR0913, PLR0917  # one parameter for each option
    sort: str | None,
    reverse: bool,
    tasks: tuple[str, ...],
    generations: tuple[int, int] | None,
    status: str | None,
    methods: tuple[str, ...],
    where: tuple[str, ...],
    limit: int | None,
    as_json: bool,
    as_csv: bool,
    half: Half | None,
) -> None:
    """List the candidates of the lineage, the best first.

    Columns that the terminal has no room for are named below the table. COMPARISON is a column, a
    task or SPLIT.TASK, then one of >= <= > < = != ~ (contains), then a value; none means no
    value. Columns are described in docs/lineage.md.

    \b
    Example:
      germline lineage list --limit 10
      germline lineage list --task math --where 'fitness>0.7'
      germline lineage list --status failed --json
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    if as_json and as_csv:
        raise click.UsageError("--json and --csv: give one of them.")

    from flows.inspection.reading import reading
    from flows.inspection.rows.row_filter import comparison_in

    with as_usage():
        for text in where:
            comparison_in(text)

    with reading(half) as lineage:
        from flows.inspection.rows.listing import RowQuery, listed_rows

        query = RowQuery(
            sort=sort or (tasks[0] if tasks else "fitness"),
            reverse=reverse,
            tasks=tasks,
            generations=generations,
            status=status,
            methods=methods,
            where=where,
            limit=limit,
        )
        rows = listed_rows(lineage, query)
        if as_json:
            from flows.inspection.terminal_text import json_text

            click.echo(json_text([row.to_dict() for row in rows]))
        elif as_csv:
            from flows.inspection.rows.lineage_export import csv_text

            click.echo(csv_text(rows), nl=False)
        else:
            from flows.inspection.rows.row_table import print_rows
            from flows.inspection.terminal_text import plain_console

            print_rows(plain_console(), lineage, rows, tasks)
