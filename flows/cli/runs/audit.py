"""``germline audit``: whether the outputs of a run follow from its inputs."""

import sys
from pathlib import Path

import click

from flows.cli.candidate_names import candidates_or_folders
from flows.cli.named_places import named_places


@click.command("audit", short_help="Compute a run again and name the first thing that differs.")
@click.argument("words", metavar="[ID|FOLDER]...", nargs=-1, shell_complete=candidates_or_folders)
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    metavar="N",
    help="Merge and evaluate N candidates again, and the champion.  [default: 5]",
)
@click.option("--all", "is_all", is_flag=True, help="Merge and evaluate everything again.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the sample.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME=PLACE",
    help="Folder or hub id of a model that FOLDER was merged from; may be given again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def audit_command(  # one parameter for each option
    words: tuple[str, ...],
    sample: int | None,
    is_all: bool,
    seed: int,
    models: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compute a run again and compare: exit 1 where something differs, and name it.

    Files, ids, sums, the search, the choice of the champion and the report are checked for the
    whole run, which takes seconds. Merging and evaluating again is slow: it is done for ID (a
    candidate by its name, id or weights hash; champion; a parent or baseline), for a sample, or
    for all. Nothing is repaired, stored or removed, and no cache is believed.

    FOLDER is the folder of a model that germline merged, anywhere: it is judged by its card.

    \b
    Example:
      germline audit                 # the whole run, and a sample of its candidates
      germline audit g05-c03
      germline audit --all
      germline audit path/to/model
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    if sum((bool(words), sample is not None, is_all)) > 1:
        raise click.UsageError("give models, --sample or --all: only one of them")
    from flows.inspection.terminal_faults import one_line_faults
    from flows.prefect_runtime.console import telling

    with one_line_faults(stopped="nothing was changed"):  # as a name that no path can have
        folders = _folders(words, models)
    places = dict(named_places(models))
    agrees: list[bool] = []

    def work() -> None:
        from flows.evaluation.evaluation_progress import EvaluationProgress
        from flows.inspection.project_folder import at_project, project_folder

        # Its error comes before seconds of loading.
        project = Path() if folders else project_folder()
        with EvaluationProgress() as progress:
            progress.step("loading PyTorch and lm-eval")  # seconds
            from flows.audit.audit_report import data_of, lines_of
            from flows.audit.audit_scope import SAMPLE, AuditScope
            from flows.audit.child_audit import audit_children
            from flows.audit.run_audit import audit_run
            from flows.inspection.terminal_text import json_text
            from flows.prefect_runtime.console import only_run, say

            if folders:
                audit = audit_children(folders, progress, places)
            else:
                count = SAMPLE if sample is None else sample
                with at_project(project), only_run():
                    audit = audit_run(AuditScope(words, is_all, count, seed), progress)
        agrees.append(audit.agrees)
        if as_json:
            say(json_text(data_of(audit)))
            return
        for line in lines_of(audit):
            say(line)

    telling(work, stopped="nothing was changed")
    if not all(agrees):
        sys.exit(1)


def _folders(words: tuple[str, ...], models: tuple[str, ...]) -> list[Path]:
    """Return the folders among the arguments, none where these are models of the run.

    Raises:
        click.UsageError: both are given, or ``models`` without a folder.
    """
    folders = [Path(word).absolute() for word in words if Path(word).is_dir()]
    if folders and len(folders) < len(words):
        raise click.UsageError("give folders or models of the run, not both")
    if models and not folders:
        raise click.UsageError("--model goes with FOLDER: a run knows its models")
    return folders
