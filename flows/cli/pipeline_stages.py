"""The commands that dvc.yaml runs: download, evolve, select and report."""

import gc
import importlib

import click


@click.command("download")
@click.option(
    "--update",
    is_flag=True,
    help="Move the commits in parents.lock to where branches and tags stand now; fetch nothing.",
)
def download_command(update: bool) -> None:
    """Fetch, check and hash the base and its fine-tunes."""
    _run("flows.pipeline.download", "update" if update else "run")


@click.command("evolve")
def evolve_command() -> None:
    """Search for the merge that scores best on the search split."""
    _run("flows.pipeline.evolve")


@click.command("select")
def select_command() -> None:
    """Choose the champion and read the test split, once."""
    _run("flows.pipeline.select")


@click.command("report")
def report_command() -> None:
    """Write tables, plots and the page from the last selection."""
    from flows.prefect_runtime.console import main

    def write() -> None:
        from flows.merging.weights_hashes import cache_folder
        from stages.params.load import load_params
        from stages.report.page.vega_bundle import kept_vega_bundle
        from stages.report.stage import LINEAGE, REPORTS, SELECTION, run

        params = load_params()
        library = kept_vega_bundle(cache_folder())
        run(LINEAGE, SELECTION, params.report, REPORTS, select=params.select, library=library)

    main(write)


@click.command("source", hidden=True)
@click.argument("name")
def source_command(name: str) -> None:
    """Record what the folders of the model NAME hold; data/dvc.yaml runs it."""
    from flows.prefect_runtime.console import telling
    from stages.store.watched_folders import record

    telling(lambda: record(name))


def _run(module: str, function: str = "run") -> None:
    """Run a function of ``module`` under the lock of the checkout.

    The module is imported under the lock: imports take seconds, half a minute on a busy machine,
    and that another run is at work, or what is going on, is to be said at once.
    """
    from flows.prefect_runtime.console import main, say

    def work() -> None:
        say(f"{module.rpartition('.')[2]}: loading PyTorch, lm-eval and Prefect")
        gc.disable()  # its passes over what is being imported are a fifth of the time
        try:
            imported = importlib.import_module(module)
        finally:
            gc.enable()
        getattr(imported, function)()

    main(work)
