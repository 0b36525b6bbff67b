"""``germline push-to-hub``: a model of the run, or a folder, to the hub."""

from pathlib import Path

import click

from flows.cli.candidate_names import candidates_or_folders
from flows.cli.wrong_usage import as_usage


@click.command("push-to-hub", short_help="Upload a model with its card to the Hugging Face hub.")
@click.argument("model", metavar="ID|FOLDER", shell_complete=candidates_or_folders)
@click.argument("repo", metavar="ORG/NAME")
@click.option("--public", "is_public", is_flag=True, help="Publish it.  [default: private]")
@click.option("-y", "--yes", "is_sure", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print what was sent as JSON; needs --yes.")
def push_to_hub_command(
    model: str, repo: str, is_public: bool, is_sure: bool, as_json: bool
) -> None:
    """Upload a model with its card to the repository ORG/NAME of the Hugging Face hub.

    The model is a folder, or a model of the run as `germline materialize` takes it. What will be
    sent is said before it is, and you are asked. Only what the repository does not have yet is
    sent, in one commit. A repository that is made is private. The token is that of HF_TOKEN or of
    `hf auth login`; another hub is named by HF_ENDPOINT.

    \b
    Example:
      germline push-to-hub champion my-name/my-model
      germline push-to-hub path/to/model my-name/my-model --public --yes
    """  # noqa: D301  # click reads the backspace as: leave these lines as they are
    if as_json and not is_sure:
        raise click.UsageError("--json needs --yes: a question would be part of the JSON")
    from flows.prefect_runtime.console import telling
    from flows.publishing.hub_upload import check_repo_name

    with as_usage():
        check_repo_name(repo)

    def work() -> None:
        from flows.publishing.push_job import push_model, push_run_model

        given = Path(model)
        job = push_model if given.is_dir() else push_run_model
        job(model, repo, is_public=is_public, is_sure=is_sure, as_json=as_json)

    telling(work, stopped="nothing was committed")
