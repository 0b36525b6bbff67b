"""``germline versions``: what is installed, for DVC to watch; the first stage of a project."""

from pathlib import Path

import click


@click.command("versions", hidden=True)
@click.argument("out", type=click.Path(path_type=Path))
def versions_command(out: Path) -> None:
    """Write the versions that results rest on to the file OUT."""
    from flows.inspection.terminal_faults import one_line_faults
    from flows.workspace.versions_file import write_versions

    with one_line_faults(stopped="nothing was written"):
        write_versions(out)
