"""What ``germline push-to-hub`` does: says what will be sent, asks, sends."""

from pathlib import Path

import click

from flows.inspection.project_folder import at_project
from flows.inspection.terminal_text import json_text
from flows.prefect_runtime.console import say
from flows.publishing.hub_upload import HubUpload, push, upload_of
from flows.publishing.materialized_folder import materialize
from flows.publishing.run_model import run_model
from stages.errors import CheckpointError
from stages.files import size_text
from stages.params.load import load_params
from stages.scratch_folder import scratch_folder


def push_run_model(word: str, repo: str, *, is_public: bool, is_sure: bool, as_json: bool) -> None:
    """Push a model of the run: it is made in a folder that goes with the command.

    Raises:
        GermlineError: it cannot be made again, or the hub refuses.
    """
    with at_project(), scratch_folder() as scratch:
        folder = scratch / repo.rpartition("/")[2]
        materialize(run_model(word), folder, load_params().merge, repo)
        push_model(str(folder), repo, is_public=is_public, is_sure=is_sure, as_json=as_json)


def push_model(folder: str, repo: str, *, is_public: bool, is_sure: bool, as_json: bool) -> None:
    """Push the folder of a model.

    Raises:
        CheckpointError: it is not a model, or the hub refuses; or nobody is there to be asked.
    """
    upload = upload_of(Path(folder), repo, is_public=is_public)
    if not as_json:
        for line in _lines(upload):
            say(line)
    if not (is_sure or upload.is_empty):
        _ask()
    commit = push(upload)
    if as_json:
        say(json_text(_data(upload, commit)))
    elif commit is not None:
        say(f"{upload.url}: commit {commit}")


def _ask() -> None:
    try:
        is_sure = click.confirm("Send it?")
    except click.Abort as error:
        raise CheckpointError("nobody answered, so nothing was sent. Give --yes.") from error
    if not is_sure:
        raise CheckpointError("nothing was sent.")


def _lines(upload: HubUpload) -> list[str]:
    if upload.is_empty:
        return [f"{upload.url}: has all {upload.num_equal} files already; nothing is sent"]
    kind = "public" if upload.is_public else "private"
    total = sum(upload.sends.values())
    where = f"the new {kind} repository" if upload.is_new else f"the {kind} repository"
    equal = f"; {upload.num_equal} are there already" if upload.num_equal else ""
    return [
        f"to {where} {upload.url}: {len(upload.sends)} files, {size_text(total)}{equal}",
        *(f"  {size_text(size):>12}  {name}" for name, size in upload.sends.items()),
        *(f"  removes        {name}" for name in upload.removes),
    ]


def _data(upload: HubUpload, commit: str | None) -> dict[str, object]:
    return {
        "repository": upload.repo,
        "url": upload.url,
        "public": upload.is_public,
        "sent": dict(upload.sends),
        "removed": list(upload.removes),
        "unchanged": upload.num_equal,
        "commit": commit,
    }
