"""Download stage: the sources of params.yaml in, checked and hashed model folders out.

dvc.yaml runs it through flows/pipeline/download.py and declares its deps, params and outs.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.safetensors_header import read_json
from stages.checkpoint.staging_folder import staged
from stages.checkpoint.tokenizer_vocabulary import has_tokenizer, read_tokens
from stages.download.build import ModelJob, build, prepare
from stages.download.checks import ancestry, parent_checks
from stages.download.checks.same_tokens import tokenizer_faults
from stages.download.disk_room import check_rooms
from stages.download.manifest import ManifestEntry, read_entries, write_entries
from stages.download.parents_lock import ParentsLock
from stages.download.sources.model_requests import ModelRequest, gather, raise_all, requests
from stages.download.sources.model_source import Zoo
from stages.errors import CheckpointError, GermlineError
from stages.licences import licences_of, remarks
from stages.params.download_params import DownloadParams

Config = Mapping[str, Any]

# Maps the models, base first, and their names to the faults that keep each from being merged.
Misfits = Callable[[Sequence[Checkpoint], Sequence[str]], Sequence[Sequence[str]]]


def run(
    params: DownloadParams, out: Path, *, misfits: Misfits, tokenizer: str = "base"
) -> tuple[str, ...]:
    """Put the base and its fine-tunes at ``out/<name>`` and list them in ``out/manifest.json``.

    ``out`` is replaced as a whole, or left as it was where there is any fault. What an earlier
    run put there is kept where its source has not changed. Configurations and tokenizers are
    checked before the first weight is fetched. With ``tokenizer`` ``base`` all models must have
    the base's vocabulary; otherwise merges move their rows, and it may differ. ``misfits`` is the
    merge's own check of the tensors: what it accepts is accepted here. Branches and tags of the
    hub stand for the commits in parents.lock (stages/download/parents_lock.py).

    Returns:
        Notes for a person: what is legal but worth checking.

    Raises:
        ParamsError: a source is not legal.
        CheckpointError: a model is missing, damaged or cannot be merged with the base; the faults
            of all models are listed, one a line.
    """
    earlier = _earlier(out)
    lock = ParentsLock()
    wanted = requests(params, out)
    jobs = gather(partial(_prepared, r, lock, earlier.get(r.name), out) for r in wanted)
    lock.write()
    shared = tokenizer == "base"
    configs = [read_json(job.light / "config.json") for job in jobs]
    raise_all(_light_faults(jobs, configs, shared=shared))
    notes = [*lock.notes, *_config_notes(jobs, configs)]
    kept = [job.kept for job in jobs]
    if kept == list(earlier.values()):
        _check_weights(jobs, out, misfits)
        return tuple(notes)
    check_rooms(jobs, out)
    with staged(out, replaces=True) as folder:
        entries = gather(partial(build, job, folder, out) for job in jobs)
        _check_weights(jobs, folder, misfits)
        raise_all(_twins(jobs, entries))
        notes += [*_check_ancestry(jobs, folder), *_licence_notes(jobs, folder)]
        write_entries(folder, entries)
    return tuple(notes)


def _prepared(
    request: ModelRequest, lock: ParentsLock, earlier: ManifestEntry | None, out: Path
) -> ModelJob:
    return prepare(lock.pinned(request, earlier), earlier, out)


def _earlier(out: Path) -> dict[str, ManifestEntry]:
    try:
        return {entry.name: entry for entry in read_entries(out)}
    except CheckpointError:
        return {}


def _light_faults(
    jobs: Sequence[ModelJob], configs: Sequence[Config], *, shared: bool
) -> list[str]:
    """Return the faults that the small files show; ``shared`` requires one vocabulary."""
    base, *parents = jobs
    faults = []
    for job, config in zip(jobs, configs, strict=True):
        unlike = parent_checks.architecture_faults(configs[0], config) if job is not base else []
        faults += [f"{job.request.at}: {fault}" for fault in unlike]
    if not has_tokenizer(base.light):
        faults.append(
            f"{base.request.at}: holds no tokenizer. Children carry the base's; name a model that "
            "has one."
        )
        return faults
    try:
        read_tokens(base.light)
    except CheckpointError as error:
        return [*faults, f"{base.request.at}: {error}"]
    for job in parents:
        try:
            faults_of_model = tokenizer_faults(base.light, job.light, shared=shared)
        except CheckpointError as error:
            faults_of_model = [str(error)]
        faults += [f"{job.request.at}: {fault}" for fault in faults_of_model]
    return faults


def _config_notes(jobs: Sequence[ModelJob], configs: Sequence[Config]) -> list[str]:
    base, *others = configs
    return [
        f"{job.request.at}: {note}"
        for job, config in zip(jobs[1:], others, strict=True)
        for note in parent_checks.architecture_notes(base, config)
    ]


def _check_weights(jobs: Sequence[ModelJob], folder: Path, misfits: Misfits) -> None:
    """Check that every model can be merged with the base, and the numbers of those not kept."""
    models = gather(partial(Checkpoint, folder / job.request.name) for job in jobs)
    try:
        unfit = misfits(models, [job.request.name for job in jobs])
    except GermlineError as error:
        raise CheckpointError(f"params.yaml: download: {error}") from error
    faults = []
    for job, model, misfit in zip(jobs, models, unfit, strict=True):
        damaged = parent_checks.number_faults(model) if not misfit and job.kept is None else []
        faults += [f"{job.request.at}: {fault}" for fault in (*misfit, *damaged)]
    raise_all(faults)


def _check_ancestry(jobs: Sequence[ModelJob], folder: Path) -> list[str]:
    """Check that the base can be the parents' ancestor; return notes on odd parents."""
    base, *parents = (ancestry.samples_of(Checkpoint(folder / j.request.name)) for j in jobs)
    at = {job.request.name: job.request.at for job in jobs[1:]}
    faults, notes = ancestry.judged(base, dict(zip(at, parents, strict=True)))
    raise_all(f"{at[name]}: {fault}" for name, fault in faults.items())
    return [f"{at[name]}: {note}" for name, note in notes.items()]


def _licence_notes(jobs: Sequence[ModelJob], folder: Path) -> list[str]:
    """Return remarks on the licences of all models but the zoo's, which has one for all."""
    licences = {
        job.request.name: licences_of(folder / job.request.name)
        for job in jobs
        if not isinstance(job.request.source.model, Zoo)
    }
    return [f"params.yaml: download: {line}" for line in remarks(licences)]


def _twins(jobs: Sequence[ModelJob], entries: Sequence[ManifestEntry]) -> list[str]:
    """Return one sentence for each fine-tune whose weights an earlier one has too."""
    first: dict[str, ModelJob] = {}
    faults = []
    for job, entry in zip(jobs[1:], entries[1:], strict=True):
        twin = first.setdefault(entry.weights_hash, job)
        if twin is not job:
            faults.append(
                f"{job.request.at}: has the same weights as {twin.request.name}, bit for bit. "
                "List each fine-tune once."
            )
    return faults
