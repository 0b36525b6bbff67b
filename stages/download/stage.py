"""Download stage: the sources of params.yaml in, checked and hashed model folders out.

dvc.yaml runs it through flows/pipeline/download.py and declares its deps, params and outs.
"""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.tokenizer_vocabulary import has_tokenizer
from stages.download import parent_checks
from stages.download.build import Job, build, prepare
from stages.download.manifest import Entry, read_entries, write_entries
from stages.download.request import gather, raise_all, requests
from stages.download.same_tokens import tokenizer_faults
from stages.errors import CheckpointError
from stages.params.load import DownloadParams

PARENTS = Path("data/parents")


def run(params: DownloadParams, out: Path, *, tokenizer: str = "base") -> None:
    """Put the base and its fine-tunes at ``out/<name>`` and list them in ``out/manifest.json``.

    ``out`` is replaced as a whole, or left as it was where anything is at fault. What an earlier
    run put there is kept where its source has not changed. Configurations and tokenizers are
    checked before the first weight is fetched. With ``tokenizer`` ``base`` all models must have
    the base's vocabulary; otherwise merges move their rows, and it may differ.

    Raises:
        ParamsError: a source is not legal.
        CheckpointError: a model is missing, damaged or cannot be merged with the base; the faults
            of all models are listed, one a line.
    """
    wanted = requests(params, out)
    earlier = _earlier(out)
    jobs = gather(partial(prepare, r, earlier.get(r.name), out) for r in wanted)
    shared = tokenizer == "base"
    raise_all(_light_faults(jobs, shared=shared))
    kept = [job.kept for job in jobs]
    if kept == list(earlier.values()):
        _check_weights(jobs, out, shared=shared)
        return
    staging = out.with_name(f".{out.name}.partial")
    _remove(staging)
    staging.mkdir(parents=True)
    try:
        entries = gather(partial(build, job, staging, out) for job in jobs)
        _check_weights(jobs, staging, shared=shared)
        raise_all(_twins(jobs, entries))
        write_entries(staging, entries)
        _replace(staging, out)
    finally:
        _remove(staging)


def _earlier(out: Path) -> dict[str, Entry]:
    try:
        return {entry.name: entry for entry in read_entries(out)}
    except CheckpointError:
        return {}


def _light_faults(jobs: Sequence[Job], *, shared: bool) -> list[str]:
    """Return what the small files alone show to be wrong; ``shared`` asks for one vocabulary."""
    base, *parents = jobs
    configs = [parent_checks.read_config(job.light, where=job.request.at) for job in jobs]
    faults = []
    for job, config in zip(jobs, configs, strict=True):
        found = parent_checks.config_faults(config)
        if job is not base:
            found += parent_checks.architecture_faults(configs[0], config, shared=shared)
        faults += [f"{job.request.at}: {fault}" for fault in found]
    if not has_tokenizer(base.light):
        faults.append(
            f"{base.request.at}: holds no tokenizer. Children carry the base's; name a model that "
            "has one."
        )
        return faults
    for job in parents:
        found = tokenizer_faults(base.light, job.light, shared=shared)
        faults += [f"{job.request.at}: {fault}" for fault in found]
    return faults


def _check_weights(jobs: Sequence[Job], folder: Path, *, shared: bool) -> None:
    """Check every model's tensors against the base's, and the numbers of those not kept."""
    base, *_ = models = gather(partial(Checkpoint, folder / job.request.name) for job in jobs)
    faults = []
    for job, model in zip(jobs, models, strict=True):
        found = parent_checks.tensor_faults(base, model, shared=shared)
        if not found and job.kept is None:
            found = parent_checks.number_faults(model)
        faults += [f"{job.request.at}: {fault}" for fault in found]
    raise_all(faults)


def _twins(jobs: Sequence[Job], entries: Sequence[Entry]) -> list[str]:
    """Return one sentence for each fine-tune whose weights an earlier one has too."""
    first: dict[str, Job] = {}
    faults = []
    for job, entry in zip(jobs[1:], entries[1:], strict=True):
        twin = first.setdefault(entry.weights_hash, job)
        if twin is not job:
            faults.append(
                f"{job.request.at}: has the same weights as {twin.request.name}, bit for bit. "
                "List each fine-tune once."
            )
    return faults


def _replace(staging: Path, out: Path) -> None:
    """Make ``staging`` be ``out``; a crash between leaves no ``out``, never half of one."""
    old = out.with_name(f".{out.name}.old")
    _remove(old)
    if out.exists():
        out.rename(old)
    staging.rename(out)
    _remove(old)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
