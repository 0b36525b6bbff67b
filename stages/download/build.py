"""Make one model folder: fetch, convert, apply the adapter, hash; or keep an earlier one."""

import json
import math
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from stages.checkpoint.model_config.config_reading import ties
from stages.checkpoint.model_config.quantised_weights import why_quantised, without_quantisation
from stages.checkpoint.reader import Checkpoint, info_of
from stages.checkpoint.safetensors_header import read_json
from stages.checkpoint.weight_files import WeightFiles
from stages.checkpoint.writer import CheckpointWriter
from stages.download.adapter_targets import fitted
from stages.download.earlier_run import champion_of
from stages.download.lora_adapter import Adapter
from stages.download.manifest import FileEntry, ManifestEntry, file_entries
from stages.download.pickled_weights import plain, read_pickled
from stages.download.sources.model_places import Located, locate
from stages.download.sources.model_requests import ModelRequest
from stages.download.sources.wanted_files import check_files
from stages.errors import CheckpointError, at
from stages.files import write_whole
from stages.licences import ADAPTER_CARD, CARD, licences_of, shown

SHARD_BYTES = 5_000_000_000


@dataclass(frozen=True, slots=True)
class ModelJob:
    """One model to put into place: ``kept`` from an earlier run, or to be built from ``model``.

    ``light`` is a folder that holds at least its configuration and tokenizer.
    """

    request: ModelRequest
    light: Path
    kept: ManifestEntry | None = None
    model: Located | None = None
    adapter: Located | None = None


def prepare(request: ModelRequest, earlier: ManifestEntry | None, out: Path) -> ModelJob:
    """Return the job for ``request``; of a hub's files only the small ones are fetched.

    Raises:
        CheckpointError: the source does not exist or cannot be reached.
    """
    before = earlier if earlier and _is_whole(earlier, request, out) else None
    has_code = before is not None and any(f.path.endswith(".py") for f in before.inputs)
    is_same = before is not None and request.source.revisions == (
        before.revision,
        before.adapter_revision,
    )
    if before and is_same and request.source.is_fixed and has_code <= request.with_code:
        return ModelJob(request, out / request.name, kept=before)
    model, adapter = locate(request)
    if before and _is_current(before, model, adapter):
        return ModelJob(request, out / request.name, kept=before)
    light = model.fetch(model.light)
    with at(request.at):
        check_files(light, model.light)
    return ModelJob(request, light, model=model, adapter=adapter)


def build(job: ModelJob, out: Path, earlier_out: Path) -> ManifestEntry:
    """Put the model of ``job`` at ``out/<name>`` and return its entry.

    Raises:
        CheckpointError: a file cannot be fetched, is damaged, or the adapter does not fit.
    """
    folder = out / job.request.name
    if job.model is None:
        if job.kept is None:
            raise TypeError("a job has a model to build or an entry to keep")
        for file in job.kept.files:
            put(earlier_out / job.request.name / file.path, folder / file.path, link=True)
        return job.kept
    notes = (*_assemble(job, job.model, folder), *_without_quantisation(folder))
    return _entry(job, job.model, folder, notes)


def _assemble(job: ModelJob, model: Located, folder: Path) -> tuple[str, ...]:
    """Put the files of the model at ``folder``; return notes on the changes to them."""
    source = model.fetch(model.names)
    others = _light_names(model, job.adapter)
    weights = _weights_of(model)
    notes = weights.notes
    if weights.is_pickled:
        converted = folder.with_name(f".{folder.name}.converted") if job.adapter else folder
        with at(job.request.at):
            loaded = read_pickled(source, weights)
        notes = (*notes, *_convert(loaded, source, others, converted))
        source = converted
    if job.adapter:
        adapter_folder = job.adapter.fetch(job.adapter.names)
        base = Checkpoint(source)
        with at(f"{job.request.at}: the adapter"):
            adapter = fitted(Adapter.read(adapter_folder), base)
        _apply(adapter, base, others, folder)
        notes = (*notes, "applied a LoRA adapter")
        if CARD in job.adapter.names:
            put(adapter_folder / CARD, folder / ADAPTER_CARD)
        if weights.is_pickled:
            shutil.rmtree(source)
    elif not weights.is_pickled:
        # huggingface_hub replaces the files of its cache and never writes into one.
        for name in model.names:
            is_linked = model.repository is not None and name in weights.names
            put(source / name, folder / name, link=is_linked)
    return notes


def _without_quantisation(folder: Path) -> tuple[str, ...]:
    """Take a quantisation that the weights do not have out of config.json, which must load."""
    path = folder / "config.json"
    config = read_json(path)
    plain = without_quantisation(config)
    if plain == config or why_quantised(Checkpoint(folder)):
        return ()
    write_whole(path, json.dumps(plain, indent=2) + "\n")
    return ("left out quantization_config: the weights are not quantised",)


def _light_names(model: Located, adapter: Located | None) -> list[str]:
    """Return the small files to copy; a model's card says nothing of an adapter without one."""
    is_silent = adapter is not None and CARD not in adapter.names
    return [name for name in model.light if not (is_silent and name == CARD)]


def _weights_of(model: Located) -> WeightFiles:
    if model.weights is None:
        raise TypeError("a located model has weights; this is an adapter or a bare list of files")
    return model.weights


def _convert(
    loaded: Mapping[str, Tensor], source: Path, others: list[str], out: Path
) -> tuple[str, ...]:
    config = read_json(source / "config.json")
    tensors, notes = plain(loaded, tied=ties(config))
    infos = {name: info_of(tensor) for name, tensor in tensors.items()}
    with CheckpointWriter(out, infos, shard_bytes=SHARD_BYTES) as writer:
        for name, tensor in tensors.items():
            writer.add(name, tensor)
        for name in others:
            put(source / name, writer.folder / name)
    return notes


def _apply(adapter: Adapter, model: Checkpoint, others: list[str], out: Path) -> None:
    with CheckpointWriter(out, model.tensors, shard_bytes=SHARD_BYTES) as writer:
        for name in model.tensors:
            writer.add(name, adapter.applied(name, model.read(name)))
        for name in others:
            put(model.folder / name, writer.folder / name)


def _entry(job: ModelJob, located: Located, folder: Path, notes: tuple[str, ...]) -> ManifestEntry:
    try:
        model = Checkpoint(folder)
    except CheckpointError as error:
        fault = str(error).replace(f"{folder}/", "")
        raise CheckpointError(f"{job.request.at}: {fault}") from error
    origin = _origin(job, model)
    inputs = _inputs(located, job.adapter)
    licences = licences_of(folder)
    return ManifestEntry(
        name=job.request.name,
        source=job.request.source.text,
        revision=located.revision,
        adapter_revision=job.adapter.revision if job.adapter else None,
        licence=shown(licences) if licences else None,
        inputs=inputs,
        files=_files(job, located, folder, inputs),
        notes=(*notes, *origin),
        weights_hash=model.hash(),
        num_tensors=len(model.tensors),
        num_parameters=sum(math.prod(info.shape) for info in model.tensors.values()),
    )


def _origin(job: ModelJob, model: Checkpoint) -> tuple[str, ...]:
    """Return a note on the run that a model is the champion of; check that it is whole.

    Raises:
        CheckpointError: its weights are not those that its card names.
    """
    notes = []
    for run in job.request.source.runs:
        champion = champion_of(Path(run.path).expanduser())
        if job.adapter is None and model.hash() != champion.weights_hash:
            raise CheckpointError(
                f"{job.request.at}: holds the weights {model.hash()[:16]}, and its card names "
                f"{champion.weights_hash[:16]}. It is not what its run wrote; restore it there "
                "with `dvc checkout`."
            )
        notes.append(f"champion of an earlier run, recipe {champion.recipe_id}")
    return tuple(notes)


def _files(
    job: ModelJob, model: Located, folder: Path, inputs: tuple[FileEntry, ...]
) -> tuple[FileEntry, ...]:
    """Return the entries of a model folder; weights that are as they were fetched keep theirs."""
    names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    weights = _weights_of(model)
    is_made = job.adapter is not None or weights.is_pickled
    known = {f.path: f for f in inputs if f.path in weights.names and not is_made}
    return tuple(known.get(name) or FileEntry.of(folder, name) for name in sorted(names))


def _inputs(model: Located, adapter: Located | None) -> tuple[FileEntry, ...]:
    entries = _entries(model)
    if adapter is None:
        return entries
    return (*entries, *(replace(file, path=f"adapter/{file.path}") for file in _entries(adapter)))


def _entries(located: Located) -> tuple[FileEntry, ...]:
    folder = located.fetch(located.names)
    return tuple(
        FileEntry(name, (folder / name).stat().st_size, located.sha256(name))
        for name in sorted(located.names)
    )


def _is_whole(earlier: ManifestEntry, request: ModelRequest, out: Path) -> bool:
    """Whether ``earlier`` is of the same source and its files in ``out`` are as it lists them."""
    folder = out / earlier.name
    if earlier.source != request.source.text:
        return False
    if not all((folder / file.path).is_file() for file in earlier.files):
        return False
    return earlier.files == file_entries(folder, (file.path for file in earlier.files))


def _is_current(earlier: ManifestEntry, model: Located, adapter: Located | None) -> bool:
    """Whether the source is still what ``earlier`` was built from; hub commits never change."""
    revisions = (model.revision, adapter.revision if adapter else None)
    if revisions != (earlier.revision, earlier.adapter_revision):
        return False
    names = [*model.names, *(f"adapter/{name}" for name in (adapter.names if adapter else ()))]
    if sorted(names) != sorted(file.path for file in earlier.inputs):
        return False
    is_fixed = model.revision and (adapter is None or adapter.revision)
    return bool(is_fixed) or earlier.inputs == _inputs(model, adapter)


def put(source: Path, target: Path, *, link: bool = False) -> None:
    """Copy a file, or link it where the disk allows; then neither name may be written to.

    Files of the user's own folders are copied, never linked: DVC may make its cache a third name
    of what it tracks, and a change of the source in place would then change the cache.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        with suppress(OSError):  # another disk, another owner, or one that has no links
            os.link(source.resolve(), target)
            return
    shutil.copyfile(source, target)
