"""The download stage's entry: check all of params.yaml, then fetch the parents."""

from functools import partial

from flows.pipeline.preflight import check
from flows.prefect_runtime.console import say
from stages.download import parents_lock, stage
from stages.download.manifest import read_entries
from stages.download.sources.model_requests import requests
from stages.merge.parents_fit import unfit
from stages.params.load import Params, load_params


def run() -> None:
    """Check what can be checked before the first byte is fetched, then fetch."""
    params = load_params()
    check(params, fetches=True)
    say(f"download: the base and {len(params.download.parents)} parents")
    fetch(params)


def fetch(params: Params) -> None:
    """Fetch the parents that ``params`` name; only tensors that the merge can take are accepted.

    Raises:
        GermlineError: a source is not legal, missing or damaged, or cannot be merged.
    """
    rule = params.merge.tokenizer
    misfits = partial(unfit, tokenizer=rule, modules=params.merge.modules)
    for note in stage.run(params.download, stage.PARENTS, misfits=misfits, tokenizer=rule):
        say(f"note: {note}")
    for entry in read_entries(stage.PARENTS):
        for note in entry.notes:
            say(f"note: {entry.name}: {note}")


def update() -> None:
    """Lock each branch and tag of params.yaml where it stands now; nothing is fetched."""
    lines = parents_lock.update(requests(load_params().download, stage.PARENTS))
    for line in lines or ("params.yaml names no branch or tag of the hub",):
        say(line)
    say(f"{parents_lock.LOCK} is up to date; `dvc repro` fetches what it names")
