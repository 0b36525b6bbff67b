"""``germline status``: what happens in this project, or happened last."""

from pathlib import Path

import click


@click.command("status")
@click.argument("folder", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status_command(folder: Path, as_json: bool) -> None:
    """Say what runs in a project, how far it is, and what the last run gave.

    The project is that around FOLDER, this one by default. Files alone are read, so a run is not
    disturbed by it.

    \b
    Example:
      germline status
      germline status ~/merges/spanish
      watch germline status
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    from flows.inspection.reading import one_line_faults

    with one_line_faults():
        from flows.inspection.project_folder import project_folder
        from flows.inspection.runs.run_status import status_of
        from flows.inspection.runs.status_text import print_status, status_data
        from flows.inspection.terminal_text import json_text, plain_console

        status = status_of(project_folder(folder))
        if as_json:
            click.echo(json_text(status_data(status)))
        else:
            print_status(plain_console(), status)
