"""The child's config.json, and whose tokenizer it takes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.hashing import content_hash, file_hash
from stages.merge.architecture.layer_kinds import check_kinds, entry_lists, kinds_of, number_lists
from stages.merge.architecture.layer_stacks import DEPTH, text_section
from stages.merge.mergekit.schema import Config, Reference
from stages.merge.outputs.model_files import child_config
from stages.merge.plan.plan import DTYPES

Origins = tuple[tuple[Reference, int], ...]
Models = Mapping[Reference, Checkpoint]

HALVES = ("encoder", "decoder")  # the modules of an encoder-decoder
_NUM_LAYERS = ("num_hidden_layers", "n_layer", "num_layers")
# From these transformers tells a layer's kind by its number, unless layer_types spells it out.
_PERIODS = ("sliding_window_pattern", "full_attention_interval", "no_rope_layer_interval")


def config_of(
    config: Config,
    frame: Checkpoint,
    donor: Checkpoint,
    origins: Mapping[str, Origins],
    models: Models,
) -> tuple[dict[str, Any], str]:
    """Return the child's config.json and the dtype it names.

    Where layers were taken out, added or moved, their number and every list that has an entry
    for each layer follow them. ``origins`` are those of the main module; of an encoder-decoder
    they are those of each half whose layers changed.

    Raises:
        RecipeError: a layer's model does not say of it what the frame says of its own, or the
            config of an encoder-decoder does not count the layers of its halves.
    """
    dtype = config.out_dtype or config.dtype or _dtype_of(frame)
    found = child_config(frame, donor, dtype)
    if not all(module.is_whole for module in config.modules):
        where = f"{config.where}: config.json"
        if is_halved(found) and {*origins} <= {*HALVES}:
            _restack_halves(found, origins, models, where)
        else:
            for origin in origins.values():
                _restack(found, config.references[0], origin, models, where)
    return found, dtype


def is_halved(config: Mapping[str, Any]) -> bool:
    """Return whether a config is of an encoder-decoder, which has two kinds of layers."""
    return bool(config.get("is_encoder_decoder", False))


def _restack(
    found: dict[str, Any], reference: Reference, origins: Origins, models: Models, where: str
) -> None:
    """Let the config of a language model, and its text section, follow the layers."""
    depth = _depth(found)
    stays = list(origins) == [(reference, layer) for layer in range(depth or 0)]
    if depth is None or stays:
        return
    sections = [found]
    if isinstance(found.get("text_config"), dict):
        found["text_config"] = dict(found["text_config"])
        sections.append(found["text_config"])
    for place, section in enumerate(sections):
        sources = [_section(models[model].config, place) for model, _ in origins]
        layers = [layer for _, layer in origins]
        before = dict(section)
        section.update(_restacked(section, sources, layers, where))
        if any(name in section for name in _NUM_LAYERS):
            kinds = {model: dict(enumerate(kinds_of(models[model]))) for model in dict(origins)}
            theirs = [kinds[model].get(layer, frozenset()) for model, layer in origins]
            mine = kinds_of(models[reference])[: _depth(before)]
            check_kinds((before, mine), (section, theirs), where)


def _restack_halves(
    found: dict[str, Any], origins: Mapping[str, Origins], models: Models, where: str
) -> None:
    """Let the config of an encoder-decoder follow the layers of those halves that changed."""
    counts = {half: _counts_of(found, half, where) for half in HALVES if origins}
    for half, origin in origins.items():
        section, layers = found.get(half), [layer for _, layer in origin]
        if isinstance(section, dict):
            sources = [models[model].config.get(half, {}) for model, _ in origin]
            found[half] = section | _restacked(section, sources, layers, where)
        found.update(dict.fromkeys(counts[half], len(layers)))


def _counts_of(config: Mapping[str, Any], half: str, where: str) -> list[str]:
    """Return the keys of a config, not of its sections, that count the layers of a half.

    What is called after neither half, as T5's ``num_layers``, is the encoder's.
    """
    keys = [
        key
        for key, value in config.items()
        if DEPTH.search(key) and type(value) is int and ("decoder" in key) == (half == "decoder")
    ]
    numbers = {config[key] for key in keys} | {_depth(config.get(half) or {})} - {None}
    if len(numbers) != 1:
        said = ", ".join(f"{key} {config[key]}" for key in keys) or "nothing"
        raise RecipeError(
            f"{where}: of the number of layers of the {half} it says {said}. To rearrange layers "
            "there must be one such number; mend the config, or give all layers in their order."
        )
    return keys


def folder_hash(config: Mapping[str, Any], donor: Path) -> str:
    """Return the hash of what a child's folder holds beside weights: part of a document's id."""
    names = sorted(p for p in donor.rglob("*") if p.is_file() and p.suffix != ".safetensors")
    small = {p.relative_to(donor).as_posix(): file_hash(p) for p in names if p.suffix != ".bin"}
    small.pop("README.md", None)
    return content_hash({"config": dict(config), "files": small})


def _dtype_of(model: Checkpoint) -> str:
    """Return the dtype that a config names, or that of most of its weights."""
    said = model.config.get("dtype") or model.config.get("torch_dtype")
    if said in DTYPES:
        return str(said)
    sizes = dict.fromkeys(DTYPES, 0)
    for info in model.tensors.values():
        for name, spelled in DTYPES.items():
            sizes[name] += info.num_bytes if info.dtype == spelled else 0
    return max(sizes, key=lambda name: sizes[name])


def _depth(config: Mapping[str, Any]) -> int | None:
    """Return the number of layers that a config gives, or None where it gives none."""
    for section in (config, config.get("text_config") or {}):
        for name in _NUM_LAYERS:
            if isinstance(section.get(name), int):
                return int(section[name])
    return None


def _section(config: Mapping[str, Any], place: int) -> Mapping[str, Any]:
    return config if place == 0 else text_section(config)  # that of a text-only model is all


def _restacked(
    section: Mapping[str, Any],
    sources: Sequence[Mapping[str, Any]],
    layers: Sequence[int],
    where: str,
) -> dict[str, Any]:
    """Return those keys of a config that change where the layers stand otherwise."""
    depth = next((section[name] for name in _NUM_LAYERS if name in section), None)
    changed: dict[str, Any] = {n: len(layers) for n in _NUM_LAYERS if n in section}
    for key in number_lists(section, depth):
        pairs = enumerate(zip(sources, layers, strict=True))
        changed[key] = [place for place, (s, layer) in pairs if layer in s.get(key, [])]
    for key in entry_lists(section, depth):
        changed[key] = _gathered(key, sources, layers, where)
    for key in _PERIODS:
        if (
            section.get(key)
            and "layer_types" not in section
            and layers != list(range(len(layers)))
        ):
            raise RecipeError(
                f"{where}: {key} tells a layer's kind by its number, which this merge changes. "
                "Add layer_types to the config of the model."
            )
    return changed


def _gathered(
    key: str, sources: Sequence[Mapping[str, Any]], layers: Sequence[int], where: str
) -> list[Any]:
    """Return a list with an entry for each layer, taken from where the layer comes from."""
    found = []
    for source, layer in zip(sources, layers, strict=True):
        entries = source.get(key)
        if not isinstance(entries, list) or layer >= len(entries):
            raise RecipeError(
                f"{where}: {key} has an entry for each layer; a model that layer {layer} comes "
                "from has none. Add it to that model's config."
            )
        found.append(entries[layer])
    return found
