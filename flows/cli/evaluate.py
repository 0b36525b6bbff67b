"""``germline evaluate``: the scores of any model, without a search."""

from contextlib import chdir
from pathlib import Path

import click

from flows.cli.candidate_names import candidates_or_folders
from flows.cli.wrong_usage import as_usage


@click.command("evaluate")
@click.argument(
    "models",
    metavar="MODEL...",
    nargs=-1,
    required=True,
    shell_complete=candidates_or_folders,
)
@click.option(
    "--tasks",
    multiple=True,
    metavar="TASK,...",
    help="lm-eval tasks, groups and tags by name or YAML file, or files of questions; may be "
    "given again.  "
    "[default: the tasks of params.yaml]",
)
@click.option(
    "--include-path",
    type=click.Path(path_type=Path),
    help="Folder of lm-eval task files, as for lm_eval.",
)
@click.option(
    "--split",
    metavar="SPLIT",
    help="search, validation, test, or all items.  [default: test for the tasks of params.yaml, "
    "all for others]",
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first items of each task.")
@click.option(
    "--metric", help="Metric of the tasks.  [default: that of params.yaml, or the first]"
)
@click.option("--filter", "filter_name", metavar="NAME", help="Filter of the tasks' answers.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Requests at a time.")
@click.option("--device", help="cpu, cuda, cuda:<number> or mps.  [default: cpu]")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any other key of the section evaluate of params.yaml, such as num_fewshot=5, "
    "apply_chat_template=true or model_args.dtype=bfloat16; may be given again.",
)
@click.option(
    "--samples",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write prompts, answers and scores of all items to the new file FILE, as JSON lines.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--offline", is_flag=True, help="Do not ask the hub; take what it sent before.")
def evaluate_command(  # noqa: PLR0913, PLR0917  # one parameter for each option
    models: tuple[str, ...],
    tasks: tuple[str, ...],
    include_path: Path | None,
    split: str | None,
    limit: int | None,
    metric: str | None,
    filter_name: str | None,
    batch_size: int | None,
    device: str | None,
    settings: tuple[str, ...],
    samples: Path | None,
    as_json: bool,
    offline: bool,
) -> None:
    """Score each MODEL on tasks, as a run scores its candidates.

    MODEL is a folder, ORG/NAME or ORG/NAME@REVISION of the Hugging Face hub, or a candidate of
    the project's lineage by its name or the start of its recipe's id; a candidate is merged again.
    Several models are compared item by item. Settings are those of params.yaml in this folder, or
    of the project around it, if there is one. Paths are relative to this folder.

    \b
    Example:
      germline evaluate data/champion
      germline evaluate g05-c03 data/parents/math --split validation
      germline evaluate ORG/NAME --tasks mine --include-path tasks --samples answers.jsonl
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    from flows.evaluation.evaluate_job import EvaluateJob
    from flows.prefect_runtime.console import telling

    names = tuple(name.strip() for text in tasks for name in text.split(",") if name.strip())
    if tasks and not names:
        raise click.BadParameter("names no task.", param_hint="--tasks")
    with as_usage():
        job = EvaluateJob(
            models=models,
            tasks=names,
            include_path=include_path,
            split=split,
            limit=limit,
            metric=metric,
            filter=filter_name,
            batch_size=batch_size,
            device=device,
            settings=settings,
            samples=samples,
            as_json=as_json,
            offline=offline,
        )

    def work() -> None:
        from flows.evaluation.evaluation_progress import EvaluationProgress
        from flows.inspection.project_folder import surrounding_project

        with EvaluationProgress() as progress, job.faults_by_option():
            progress.step("loading PyTorch and lm-eval")  # seconds
            from flows.evaluation.model_scores import score_models
            from flows.evaluation.score_table import print_json, print_table

            root = surrounding_project()
            if root is None:
                scores = score_models(job, progress)
            else:
                whole = job.with_whole_paths()
                with chdir(root):
                    scores = score_models(whole, progress)
        (print_json if as_json else print_table)(scores)

    telling(work, stopped="nothing was written")
