"""``germline lineage``: the rows of a search, to list, read, compare, trace and take along."""

import click

from flows.cli.lazy_group import LazyGroup

_COMMANDS = {
    "ancestors": "flows.cli.lineage.ancestors:ancestors_command",
    "diff": "flows.cli.lineage.diff:diff_command",
    "export": "flows.cli.lineage.export_rows:export_rows_command",
    "list": "flows.cli.lineage.list_rows:list_command",
    "show": "flows.cli.lineage.show:show_command",
}


@click.group("lineage", cls=LazyGroup, table=_COMMANDS)
def lineage_group() -> None:
    """List, read and compare the candidates of a search.

    The commands read data/lineage and data/selection of the project around this folder. They
    change nothing, and work while a run is at work.
    """
