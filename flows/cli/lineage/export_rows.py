"""``germline lineage export``: the whole lineage in one file for other tools."""

from pathlib import Path

import click

from flows.cli.lineage.half_option import Half, half_option
from flows.cli.wrong_usage import as_usage


@click.command("export", short_help="Write every row of the lineage to FILE, with all scores.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "parquet", "jsonl"]),
    help="[default: as FILE ends]",
)
@click.option("--force", is_flag=True, help="Replace FILE where it is there.")
@click.option("--items", is_flag=True, help="The scores of single items instead of rows.")
@half_option
def export_rows_command(
    file: Path, kind: str | None, force: bool, items: bool, half: Half | None
) -> None:
    """Write every row of the lineage to FILE, with all scores that are known.

    CSV and Parquet are flat, one column for each gene, parent and score; JSON lines are the rows
    as data/lineage has them. With --items a row is one answer: name and kind of the model, split,
    task, item, score. docs/lineage.md describes the columns.

    \b
    Example:
      germline lineage export lineage.parquet
      germline lineage export items.parquet --items
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    from flows.inspection.reading import reading
    from flows.inspection.rows.lineage_export import export_frame, export_rows, kind_of

    with as_usage():
        kind = kind_of(file, kind)
    with reading(half) as lineage:
        from flows.inspection.item_scores import item_scores

        if items:
            table = item_scores(lineage)
            export_frame(table, file, kind, force=force)
        else:
            export_rows(lineage.rows, file, kind, force=force)
        click.echo(f"{file}: {len(table) if items else len(lineage.rows)} rows")
