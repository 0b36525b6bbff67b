"""``germline serve``: `dvc repro` on a timetable, until Ctrl-C."""

import click

from flows.cli.wrong_usage import as_usage


@click.command("serve")
@click.option(
    "--cron", default="0 3 * * *", show_default=True, help="Timetable: five cron fields, in UTC."
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Port of the server and its page.  [default: 4200]",
)
@click.option("--push", is_flag=True, help="Send results to the DVC remote after each run.")
def serve_command(cron: str, port: int | None, push: bool) -> None:
    """Register the scheduled deployment and wait for its runs."""
    from flows.prefect_runtime.console import telling
    from flows.prefect_runtime.schedule import PORT, check_cron, serve

    with as_usage():
        check_cron(cron)
    telling(lambda: serve(cron, port=port or PORT, push=push))
