"""The models of params.yaml that are on this machine, fetched or not yet."""

from contextlib import suppress

from stages.checkpoint.reader import Checkpoint
from stages.download.manifest import PARENTS, read_entries
from stages.download.sources.model_places import locate
from stages.download.sources.model_requests import requests
from stages.download.sources.model_source import Hub
from stages.errors import GermlineError
from stages.merge.architecture.layout import layout_of
from stages.params.load import Params


def at_hand(params: Params, name: str) -> Checkpoint | None:
    """Return the model ``name``, without its adapter; None where it is not here, or is damaged."""
    with suppress(GermlineError):  # another probe says what is wrong, or the download does
        asked = {request.name: request for request in requests(params.download, PARENTS)}
        request = asked.get(name)
        if request is None:
            return None
        if isinstance(request.source.model, Hub):
            fetched = {entry.name: entry.source for entry in read_entries(PARENTS)}
            folder = PARENTS / name if fetched.get(name) == request.source.text else None
        else:
            folder = locate(request.without_adapter)[0].folder
        if folder is not None:
            model = Checkpoint(folder)
            layout_of(model)
            return model
    return None
