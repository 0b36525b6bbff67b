"""The commands that dvc.yaml runs: download, evolve, select and report."""

import click


@click.command("download")
@click.option(
    "--update",
    is_flag=True,
    help="Move the commits in parents.lock to where branches and tags stand now; fetch nothing.",
)
def download_command(update: bool) -> None:
    """Fetch, check and hash the base and its fine-tunes."""
    from flows.pipeline import download
    from flows.prefect_runtime.console import main

    main(download.update if update else download.run)


@click.command("evolve")
def evolve_command() -> None:
    """Search for the merge that scores best on the search split."""
    from flows.pipeline.evolve import run
    from flows.prefect_runtime.console import main

    main(run)


@click.command("select")
def select_command() -> None:
    """Choose the champion and read the test split, once."""
    from flows.pipeline.select import run
    from flows.prefect_runtime.console import main

    main(run)


@click.command("report")
def report_command() -> None:
    """Write tables, plots and the page from the last selection."""
    from flows.prefect_runtime.console import main
    from stages.params.load import load_params
    from stages.report.stage import LINEAGE, REPORTS, SELECTION, run

    def write() -> None:
        params = load_params()
        is_raced, seed = bool(params.select.racing.rungs), params.select.seed
        run(LINEAGE, SELECTION, params.report, REPORTS, is_raced=is_raced, seed=seed)

    main(write)
