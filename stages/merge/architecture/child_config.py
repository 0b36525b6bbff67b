"""The child's config.json, as its dtype, its tokenizer's owner and its layers ask for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.architecture.layer_kinds import check_kinds, entry_lists, kinds_of, number_lists
from stages.merge.architecture.layer_stacks import DEPTH, text_section

Origins = Sequence[tuple[int, int]]  # of each layer of the child, a model's place and its layer
Models = Sequence[Checkpoint]  # the first is the frame

HALVES = ("encoder", "decoder")  # the modules of an encoder-decoder
_SPECIAL_TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id")
_NUM_LAYERS = ("num_hidden_layers", "n_layer", "num_layers")
# From these transformers tells a layer's kind by its number, unless layer_types spells it out.
_PERIODS = ("sliding_window_pattern", "full_attention_interval", "no_rope_layer_interval")


def child_config(
    models: Models, owner: Checkpoint, dtype: str, origins: Mapping[str, Origins]
) -> dict[str, Any]:
    """Return the config of the frame in ``dtype``, with the special tokens of ``owner``.

    Where layers were taken out, added or moved, their number and every list that has an entry
    for each layer follow them. ``origins`` are those of each module whose layers changed.

    Raises:
        RecipeError: a layer's model does not say of it what the frame says of its own, or the
            config of an encoder-decoder does not count the layers of its halves.
    """
    config = _in_dtype(models[0].config, owner.config, dtype)
    if is_halved(config) and {*origins} <= {*HALVES}:
        _restack_halves(config, origins, models)
    else:
        for origin in origins.values():
            _restack(config, origin, models)
    return config


def special_tokens(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ids of special tokens that ``config`` gives."""
    return {name: config[name] for name in _SPECIAL_TOKENS if name in config}


def is_halved(config: Mapping[str, Any]) -> bool:
    """Return whether a config is of an encoder-decoder, which has two kinds of layers."""
    return bool(config.get("is_encoder_decoder", False))


def _in_dtype(frame: Mapping[str, Any], owner: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    config = dict(frame)
    config.pop("_name_or_path", None)  # a path on the machine that saved it
    config.update(special_tokens(owner))
    config["dtype"] = dtype
    if "torch_dtype" in config:  # the name before transformers 5
        config["torch_dtype"] = dtype
    if isinstance(config.get("text_config"), dict):
        text = config["text_config"]
        section = owner.get("text_config")
        ids = special_tokens(section if isinstance(section, dict) else owner)
        known = {name: number for name, number in ids.items() if name in text}
        config["text_config"] = {**text, **known, "dtype": dtype}
    return config


def _restack(config: dict[str, Any], origins: Origins, models: Models) -> None:
    """Let the config of a language model, and its text section, follow the layers."""
    depth = _depth(config)
    if depth is None or list(origins) == [(0, layer) for layer in range(depth)]:
        return
    sections = [config]
    if isinstance(config.get("text_config"), dict):
        config["text_config"] = dict(config["text_config"])
        sections.append(config["text_config"])
    for index, section in enumerate(sections):
        sources = [_section(models[model].config, index) for model, _ in origins]
        layers = [layer for _, layer in origins]
        before = dict(section)
        section.update(_restacked(section, sources, layers))
        if any(name in section for name in _NUM_LAYERS):
            kinds = {model: dict(enumerate(kinds_of(models[model]))) for model in dict(origins)}
            child_kinds = [kinds[model].get(layer, frozenset()) for model, layer in origins]
            frame_kinds = kinds_of(models[0])[: _depth(before)]
            check_kinds((before, frame_kinds), (section, child_kinds))


def _restack_halves(
    config: dict[str, Any], origins: Mapping[str, Origins], models: Models
) -> None:
    """Let the config of an encoder-decoder follow the layers of those halves that changed."""
    counts = {half: _counts_of(config, half) for half in HALVES if origins}
    for half, origin in origins.items():
        section, layers = config.get(half), [layer for _, layer in origin]
        if isinstance(section, dict):
            sources = [models[model].config.get(half, {}) for model, _ in origin]
            config[half] = section | _restacked(section, sources, layers)
        config.update(dict.fromkeys(counts[half], len(layers)))


def _counts_of(config: Mapping[str, Any], half: str) -> list[str]:
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
            f"of the number of layers of the {half} it says {said}. To rearrange layers there "
            "must be one such number; correct the config, or give all layers in their order."
        )
    return keys


def _depth(config: Mapping[str, Any]) -> int | None:
    """Return the number of layers that a config gives, or None where it gives none."""
    for section in (config, config.get("text_config") or {}):
        for name in _NUM_LAYERS:
            if isinstance(section.get(name), int):
                return int(section[name])
    return None


def _section(config: Mapping[str, Any], index: int) -> Mapping[str, Any]:
    return config if index == 0 else text_section(config)  # that of a text-only model is all


def _restacked(
    section: Mapping[str, Any], sources: Sequence[Mapping[str, Any]], layers: Sequence[int]
) -> dict[str, Any]:
    """Return those keys of a config that change where the layers stand otherwise."""
    depth = next((section[name] for name in _NUM_LAYERS if name in section), None)
    changed: dict[str, Any] = {n: len(layers) for n in _NUM_LAYERS if n in section}
    for key in number_lists(section, depth):
        pairs = enumerate(zip(sources, layers, strict=True))
        changed[key] = [index for index, (s, layer) in pairs if layer in s.get(key, [])]
    for key in entry_lists(section, depth):
        changed[key] = _gathered(key, sources, layers)
    for key in _PERIODS:
        is_told = section.get(key) and "layer_types" not in section
        if is_told and layers != list(range(len(layers))):
            raise RecipeError(
                f"{key} tells a layer's kind by its number, which this merge changes. "
                "Add layer_types to the config of the model."
            )
    return changed


def _gathered(key: str, sources: Sequence[Mapping[str, Any]], layers: Sequence[int]) -> list[Any]:
    """Return a list with an entry for each layer, taken from where the layer comes from."""
    entries = []
    for source, layer in zip(sources, layers, strict=True):
        listed = source.get(key)
        if not isinstance(listed, list) or layer >= len(listed):
            raise RecipeError(
                f"{key} has an entry for each layer; a model that layer {layer} comes from has "
                "none. Add it to that model's config."
            )
        entries.append(listed[layer])
    return entries
