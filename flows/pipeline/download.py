"""The download stage's entry: check all of params.yaml, then fetch the parents."""

from flows.pipeline.preflight import check
from flows.prefect_runtime.console import say
from stages.download import stage
from stages.params.load import load_params


def run() -> None:
    """Check what can be checked before the first byte is fetched, then fetch."""
    params = load_params()
    check(params, fetches=True)
    say(f"download: the base and {len(params.download.parents)} parents")
    stage.run(params.download, stage.PARENTS, tokenizer=params.merge.tokenizer)
