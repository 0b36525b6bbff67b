"""``germline run``: the pipeline of the project, as `dvc repro` runs it."""

import json
import sys

import click


@click.command("run", short_help="Run what changed of the pipeline.")
@click.option("--stage", metavar="NAME", help="Only this stage of dvc.yaml, and what it needs.")
@click.option(
    "--force",
    is_flag=True,
    help="Run stages that did not change, too; results that are in the cache are looked up.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON at the end.")
def run_command(stage: str | None, force: bool, as_json: bool) -> None:
    """Run what changed of the pipeline: download, evolve, select, report.

    It is `dvc repro`: what did not change is skipped, what was evaluated is looked up, and a run
    that was stopped goes on. With --json all but the summary goes to the standard error.
    """
    from flows.inspection.project_folder import at_project
    from flows.prefect_runtime.console import say, telling
    from flows.workspace.run_project import run_project

    def note(text: str) -> None:
        click.echo(text, err=True) if as_json else say(text)
        sys.stdout.flush()  # before what the stages print

    def work() -> None:
        with at_project():
            summary = run_project(stage, note, force=force, quiet=as_json)
        if as_json:
            click.echo(json.dumps(summary.plain(), indent=2))
            return
        for line in summary.lines():
            say(line)

    telling(work)
