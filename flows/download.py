"""The download stage's entry: check all of params.yaml, then fetch the parents."""

from functools import partial

from flows.console import main, say
from flows.preflight import check
from stages.download import stage
from stages.download.manifest import read_entries
from stages.merge.fitting import unfit
from stages.params import Params, load_params


def run() -> None:
    """Check what can be checked before the first byte is fetched, then fetch."""
    params = load_params()
    check(params, fetches=True)
    say(f"download: the base and {len(params.download.parents)} parents")
    fetch(params)


def fetch(params: Params) -> None:
    """Put the parents that ``params`` name into place; what the merge can merge is accepted.

    Raises:
        GermlineError: a source is not legal, is missing or damaged, or cannot be merged.
    """
    rule = params.merge.tokenizer
    misfits = partial(unfit, tokenizer=rule, modules=params.merge.modules)
    stage.run(params.download, stage.PARENTS, misfits=misfits, tokenizer=rule)
    for entry in read_entries(stage.PARENTS):
        for note in entry.notes:
            say(f"note: {entry.name}: {note}")


if __name__ == "__main__":
    main(run)
