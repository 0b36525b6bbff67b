"""``germline lineage diff``: how two candidates differ, down to the items."""

import click

from flows.cli.candidate_names import candidates
from flows.cli.lineage.half_option import Half, half_option


@click.command("diff", short_help="Compare two candidates, item by item.")
@click.argument("first", metavar="A", shell_complete=candidates)
@click.argument("second", metavar="B", shell_complete=candidates)
@click.option("--text", is_flag=True, help="Show what the items ask; loads the tasks, in seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@half_option
def diff_command(first: str, second: str, text: bool, as_json: bool, half: Half | None) -> None:
    """Compare two candidates: scores item by item, genes, recipe, and items gained and lost.

    Differences are A less B, on the items that both answered. Exit code 1 says that they differ.

    \b
    Example:
      germline lineage diff champion g00-c01
      germline lineage diff g05-c03 g05-c04 --text
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    from flows.inspection.reading import reading

    with reading(half) as lineage:
        from flows.inspection.rows.difference_text import difference_data, print_difference
        from flows.inspection.rows.item_texts import item_texts
        from flows.inspection.rows.row_difference import difference_of
        from flows.inspection.terminal_text import json_text, plain_console

        difference = difference_of(lineage, lineage.row(first), lineage.row(second))
        changes = [c for split in difference.splits for c in (*split.gained, *split.lost)]
        wanted = [(change.task, change.item) for change in changes]
        texts = item_texts(lineage.folder, wanted) if text and wanted else {}
        if as_json:
            click.echo(json_text(difference_data(difference, texts)))
        else:
            print_difference(plain_console(), difference, texts)
    raise SystemExit(0 if difference.is_empty else 1)
