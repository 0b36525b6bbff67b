"""``germline status``: what happens in this project, or happened last."""

from contextlib import suppress
from pathlib import Path

import click


@click.command("status", short_help="Say what runs, how far it is, what the last run gave.")
@click.argument("folder", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--serve", is_flag=True, help="Serve the page to a browser on this machine.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8321,
    show_default=True,
    help="The port of --serve; 0 takes a free one.",
)
def status_command(folder: Path, as_json: bool, serve: bool, port: int) -> None:
    """Say what runs in a project, how far it is, and what the last run gave.

    The project is that around FOLDER, this one by default. Files alone are read, so a run is not
    disturbed by it.

    \b
    Example:
      germline status
      germline status ~/merges/spanish
      watch germline status
      germline status --serve
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    if serve and as_json:
        raise click.UsageError("--serve and --json exclude each other. Give one of them.")
    from flows.inspection.terminal_faults import one_line_faults

    with one_line_faults(stopped="nothing was changed"):
        from flows.inspection.project_folder import project_folder
        from flows.inspection.runs.run_status import status_of
        from flows.inspection.runs.status_text import print_status, status_data
        from flows.inspection.terminal_text import json_text, plain_console

        if serve:
            _serve(project_folder(folder), port)
            return
        status = status_of(project_folder(folder))
        if as_json:
            click.echo(json_text(status_data(status)))
        else:
            print_status(plain_console(), status)


def _serve(folder: Path, port: int) -> None:
    """Serve the page of the project in ``folder`` until Ctrl-C."""
    from flows.inspection.runs.page_server import address_of, page_server
    from flows.inspection.runs.run_status import page_to_look_at

    with page_server(lambda: page_to_look_at(folder), port) as server:
        address = address_of(server)
        click.echo(f"{address} shows the page as it is when you load it; Ctrl-C ends this.")
        with suppress(KeyboardInterrupt):
            server.serve_forever()
