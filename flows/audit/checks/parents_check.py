"""Parents: are the models those that were downloaded, and those that every recipe names?"""

from collections.abc import Iterator
from pathlib import Path

from flows.audit.check_verdict import Difference, Verdict
from flows.audit.first_tensor import first_difference
from flows.audit.recorded_run import RecordedRun
from stages.checkpoint.reader import Checkpoint
from stages.download.content_check import check_content
from stages.download.manifest import MANIFEST, PARENTS, ManifestEntry, Parents
from stages.download.parents_lock import LOCK, read
from stages.download.sources.model_places import locate
from stages.download.sources.model_requests import ModelRequest, requests
from stages.download.sources.model_source import Hub
from stages.errors import CheckpointError, GermlineError
from stages.files import size_text
from stages.params.load import load_params
from stages.scratch_folder import scratch_folder


def check(run: RecordedRun) -> Verdict:
    """Compare the parents' bytes with the manifest, it with params and lock, recipes with it."""
    parents = run.parents
    differences = [*_bytes(parents), *_sources(parents), *_ancestors(run, parents)]
    size = sum(file.size for entry in parents.entries for file in entry.files)
    return Verdict(
        "parents",
        f"{len(parents.entries)} models, {size_text(size)}, read byte by byte; their weights; "
        f"params.yaml, {LOCK}; the models of {len(run.rows)} recipes",
        tuple(differences),
    )


def _bytes(parents: Parents) -> Iterator[Difference]:
    """Yield each file that is not the manifest's; no earlier check of it is believed."""
    with scratch_folder() as scratch:
        try:
            check_content(parents, scratch / "checked.json")
        except CheckpointError as error:
            for line in str(error).splitlines():
                where, _, what = line.partition(": ")
                yield Difference(where, f"otherwise in {MANIFEST}", what.partition(". ")[0])
            yield from _tensors(parents)
            return
    for parent, entry in zip(parents, parents.entries, strict=True):
        weights = Checkpoint(parent.folder).hash()
        if weights != entry.weights_hash:
            where = f"{PARENTS / MANIFEST}, {entry.name}, weights hash"
            yield Difference(where, entry.weights_hash, weights)


def _tensors(parents: Parents) -> Iterator[Difference]:
    """Yield the first tensor of each parent that is not that of its source, if that is at hand."""
    asked = {request.name: request for request in requests(load_params().download, PARENTS)}
    for parent, entry in zip(parents, parents.entries, strict=True):
        source = _source(asked.get(entry.name))
        if source is None or not _is_sound(source, entry):
            continue
        difference = first_difference(Checkpoint(source), parent.folder)
        if difference is not None:
            yield difference


def _source(request: ModelRequest | None) -> Path | None:
    """Return the folder that a parent was copied from; None where it was made or fetched."""
    source = request.source if request is not None else None
    if request is None or source is None or source.adapter is not None:
        return None
    if isinstance(source.model, Hub):
        return None
    try:
        return locate(request)[0].folder
    except GermlineError:
        return None


def _is_sound(folder: Path, entry: ManifestEntry) -> bool:
    try:
        return Checkpoint(folder).hash() == entry.weights_hash
    except GermlineError:
        return False


def _sources(parents: Parents) -> Iterator[Difference]:
    params = load_params().download
    asked = {"base": params.base, **params.parents}
    if list(parents.sources.items()) != list(asked.items()):
        yield Difference(
            f"{PARENTS / MANIFEST}, sources", str(parents.sources), f"{asked} in params"
        )
    locked = read(LOCK)
    for request in requests(params, PARENTS):
        entry = next((e for e in parents.entries if e.name == request.name), None)
        for branch in request.source.branches:
            commit = locked.get(str(branch))
            known = (entry.revision, entry.adapter_revision) if entry is not None else ()
            if commit is not None and commit not in known:
                where = f"{PARENTS / MANIFEST}, {request.name}, revision"
                yield Difference(where, str(known[0] if known else None), f"{commit} in {LOCK}")


def _ancestors(run: RecordedRun, parents: Parents) -> Iterator[Difference]:
    """Yield each model of a recipe that is not among the downloaded ones under its name."""
    known = {(parent.name, parent.hash) for parent in parents}
    hashes = {parent.name: parent.hash for parent in parents}
    for row in run.rows:
        for model in row.recipe.models:
            if (model.name, model.hash) not in known:
                now = hashes.get(model.name, "not downloaded")
                yield Difference(f"{row.name}, recipe, {model.name}", model.hash, now)
