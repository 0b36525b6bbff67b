"""``germline compare``: which of two runs is better, and what they did differently."""

import click

from flows.cli.lineage.half_option import Half, half_option


@click.command("compare", short_help="Compare the champions, cost and params of two runs.")
@click.argument("first", metavar="RUN")
@click.argument("second", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@half_option
def compare_command(first: str, second: str, as_json: bool, half: Half | None) -> None:
    """Compare two runs: champions on shared items, fitness with errors, cost, params that differ.

    RUN is the folder of a project, of a lineage, of a selection, or of the search in one half of
    the space (data/selection/layers); or a git revision, or the name
    of a DVC experiment, of this project, whose outputs are in DVC's cache or its remote.
    Differences are the first run less the second. Exit code 1 says that they differ.

    \b
    Example:
      germline compare . ../other-project
      germline compare HEAD~1 HEAD
      germline compare . dusky-boat
      germline compare . data/selection/layers
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    from flows.inspection.terminal_faults import one_line_faults

    with one_line_faults(stopped="nothing was changed"):
        from flows.inspection.runs.comparison_text import comparison_data, print_comparison
        from flows.inspection.runs.run_comparison import compare_runs
        from flows.inspection.runs.run_source import stored_run
        from flows.inspection.terminal_text import json_text, plain_console

        with stored_run(first, half) as one, stored_run(second, half) as two:
            comparison = compare_runs(one, two)
        if as_json:
            click.echo(json_text(comparison_data(comparison)))
        else:
            print_comparison(plain_console(), comparison)
    raise SystemExit(0 if comparison.is_empty else 1)
