"""The download stage's entry: check all of params.yaml, then fetch the parents."""

from functools import partial
from pathlib import Path

from flows.pipeline.pipeline_file import watches
from flows.pipeline.preflight import check, check_fetched, legal_params
from flows.prefect_runtime.console import say
from stages.download import parents_lock, stage
from stages.download.content_check import check_content
from stages.download.earlier_run import champion_of
from stages.download.manifest import PARENTS, Parents, read_entries
from stages.download.sources.model_requests import requests
from stages.download.sources.model_source import Local
from stages.errors import CheckpointError
from stages.merge.parents_fit import unfit
from stages.params.load import Params, load_params
from stages.store.dvc_project import drop_damaged
from stages.store.watched_folders import watch


def run() -> None:
    """Check what can be checked before the first byte is fetched, then fetch."""
    params = legal_params(fetches=True)
    check(params, fetches=True)
    say(f"download: the base and {len(params.download.parents)} parents")
    fetch(params)
    check_fetched(params)


def fetch(params: Params) -> None:
    """Fetch the parents that ``params`` name; only tensors that the merge can take are accepted.

    Raises:
        GermlineError: a source is not legal, missing or damaged, or cannot be merged.
    """
    _drop_damage()
    rule = params.merge.tokenizer
    misfits = partial(unfit, tokenizer=rule, modules=params.merge.modules)
    for note in stage.run(params.download, PARENTS, misfits=misfits, tokenizer=rule):
        say(f"note: {note}")
    watch(_folders(params))
    for entry in read_entries(PARENTS):
        for note in entry.notes:
            say(f"note: {entry.name}: {note}")


def _folders(params: Params) -> dict[str, list[str]]:
    """Return the folders of each model, and of its adapter, that dvc.yaml does not know."""
    folders = {}
    for request in requests(params.download, PARENTS):
        local = [str(p.path) for p in request.source.places if isinstance(p, Local)]
        runs = (Path(run.path).expanduser() for run in request.source.runs)
        local += [str(champion_of(run).folder) for run in runs]
        unwatched = [path for path in local if not watches("download", path)]
        if unwatched:
            folders[request.name] = unwatched
    return folders


def _drop_damage() -> None:
    """Have damage of an earlier download gone from DVC's cache, too, where the two are linked."""
    if not Path(".dvc").is_dir():
        return
    try:
        check_content(Parents.read(PARENTS))
    except CheckpointError:
        drop_damaged(PARENTS)


def update() -> None:
    """Lock each branch and tag of params.yaml where it stands now; nothing is fetched."""
    lines = parents_lock.update(requests(load_params().download, PARENTS))
    for line in lines or ("params.yaml names no branch or tag of the hub",):
        say(line)
    say(f"{parents_lock.LOCK} is up to date; `dvc repro` fetches what it names")
