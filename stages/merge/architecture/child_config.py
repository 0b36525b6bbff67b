"""The child's config.json, as its dtype, its tokenizer's owner and its layers ask for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.checkpoint.model_config.quantised_weights import without_quantisation
from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.architecture.configured_layers import ConfiguredLayers, check_child
from stages.merge.architecture.layer_kinds import (
    OVERRIDES,
    check_kinds,
    entry_lists,
    kinds_of,
    number_lists,
)
from stages.merge.architecture.layer_stacks import DEPTH, HALVES, NUM_LAYERS, text_section

Origins = Sequence[tuple[int, int]]  # of each layer of the child, a model's place and its layer
Models = Sequence[Checkpoint]  # the first is the frame

_SPECIAL_TOKENS = ("bos_token_id", "eos_token_id", "pad_token_id")
# By these a layer's number tells its kind, where layer_types does not. They are only looked at in
# configs that transformers does not know: what it knows it is asked.
_LAST_EXPERTS = "moe_layer_end_index"
_PERIODS = ("sliding_window_pattern", "full_attention_interval", "no_rope_layer_interval")


def child_config(
    models: Models, owner: Checkpoint, dtype: str, origins: Mapping[str, Origins]
) -> dict[str, Any]:
    """Return the config of the frame in ``dtype``, with the special tokens of ``owner``.

    Where layers were taken out, added or moved, their number and every list that has an entry
    for each layer follow them. ``origins`` are those of each module whose layers changed.

    Raises:
        RecipeError: a layer's model does not say of it what the frame says of its own, the config
            has no way to say what a layer is, or that of an encoder-decoder does not count the
            layers of its halves.
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
    config = without_quantisation(frame)  # the child's weights are not, whatever the frame says
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
    configured = [ConfiguredLayers(model.config) for model in models]
    frame = configured[0]
    said = _depth(config) or frame.depth or None
    depth = said or len(kinds_of(models[0]))
    if list(origins) == [(0, layer) for layer in range(depth)]:
        return
    if said is None:
        raise RecipeError(
            "it gives no number of layers that germline knows, so it cannot follow layers that "
            "are added, left out or moved. Give all layers in their order."
        )
    sections = [config]
    if isinstance(config.get("text_config"), dict):
        config["text_config"] = dict(config["text_config"])
        sections.append(config["text_config"])
    for index, section in enumerate(sections):
        sources = [_section(models[model].config, index) for model, _ in origins]
        is_text = section is sections[-1]
        if is_text:
            section.update(_spelled_out(section, frame))
            pairs = zip(sources, origins, strict=True)
            sources = [_spelled_out(s, configured[model]) for s, (model, _) in pairs]
        before = dict(section)
        section.update(_restacked(section, sources, [n for _, n in origins], frame))
        if any(name in section for name in (*NUM_LAYERS, frame.count_key)):
            kinds = {model: dict(enumerate(kinds_of(models[model]))) for model in dict(origins)}
            child_kinds = [kinds[model].get(layer, frozenset()) for model, layer in origins]
            frame_kinds = kinds_of(models[0])[:depth]
            check_kinds((before, frame_kinds), (section, child_kinds))
    if all(configured[model].is_known for model in {0, *dict(origins)}):
        check_child(ConfiguredLayers(config), [(configured[model], n) for model, n in origins])


def _spelled_out(section: Mapping[str, Any], configured: ConfiguredLayers) -> dict[str, Any]:
    """Return a section with what transformers knows of its layers and the file leaves out."""
    said = {key for key, value in section.items() if value is not None}
    added: dict[str, Any] = {
        key: entries
        for key, entries in configured.written.items()
        if key not in said or len(section[key]) != len(entries)  # a pattern that repeats itself
    }
    if configured.is_known and not said & {*NUM_LAYERS, configured.count_key}:
        added[configured.count_key] = configured.depth
    return {**section, **added}


def _restack_halves(
    config: dict[str, Any], origins: Mapping[str, Origins], models: Models
) -> None:
    """Let the config of an encoder-decoder follow the layers of those halves that changed."""
    counts = {half: _counts_of(config, half) for half in HALVES if origins}
    for half, origin in origins.items():
        section, layers = config.get(half), [layer for _, layer in origin]
        configured = [ConfiguredLayers(model.config, half) for model in models]
        if isinstance(section, dict):
            sources = [
                _spelled_out(models[model].config.get(half, {}), configured[model])
                for model, _ in origin
            ]
            whole = _spelled_out(section, configured[0])
            config[half] = whole | _restacked(whole, sources, layers, configured[0])
        config.update(dict.fromkeys(counts[half], len(layers)))
        if all(configured[model].is_known for model in {0, *dict(origin)}):
            child = ConfiguredLayers(config, half)
            check_child(child, [(configured[model], n) for model, n in origin])


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
        for name in NUM_LAYERS:
            if isinstance(section.get(name), int):
                return int(section[name])
    return None


def _section(config: Mapping[str, Any], index: int) -> Mapping[str, Any]:
    return config if index == 0 else text_section(config)  # that of a text-only model is all


def _restacked(
    section: Mapping[str, Any],
    sources: Sequence[Mapping[str, Any]],
    layers: Sequence[int],
    frame: ConfiguredLayers,
) -> dict[str, Any]:
    """Return those keys of a config that change where the layers stand otherwise."""
    names = [name for name in dict.fromkeys((*NUM_LAYERS, frame.count_key)) if name in section]
    depth = section[names[0]] if names else None
    changed: dict[str, Any] = dict.fromkeys(names, len(layers))
    numbered = [*enumerate(zip(sources, layers, strict=True))]
    for key in number_lists(section, depth):
        changed[key] = [index for index, (s, layer) in numbered if layer in s.get(key, [])]
    for key in entry_lists(section, depth):
        changed[key] = _gathered(key, sources, layers)
    if any(isinstance(source.get(OVERRIDES), dict) for source in (section, *sources)):
        given = {str(index): _override(source, layer) for index, (source, layer) in numbered}
        changed[OVERRIDES] = {index: values for index, values in given.items() if values}
    changed |= _counted(section, depth, len(layers))
    if "attention_types" in section and "attention_layers" in changed:  # GPT-Neo reads the first
        changed["attention_types"] = [[[kind], 1] for kind in changed["attention_layers"]]
    for key in _PERIODS if not frame.is_known else ():
        is_told = section.get(key) and "layer_types" not in section
        if is_told and layers != list(range(len(layers))):
            raise RecipeError(
                f"{key} tells a layer's kind by its number, which this merge changes. "
                "Add layer_types to the config of the model."
            )
    return changed


def _counted(section: Mapping[str, Any], depth: int | None, new_depth: int) -> dict[str, int]:
    """Return the other keys of a config that hold the number of layers, or the last one's."""
    changed: dict[str, int] = {}
    if depth and section.get("num_blocks") == depth:  # of xLSTM, besides num_hidden_layers
        changed["num_blocks"] = new_depth
    if depth and section.get(_LAST_EXPERTS) == depth - 1:  # -1 in a config that was not saved
        changed[_LAST_EXPERTS] = new_depth - 1
    return changed


def _override(source: Mapping[str, Any], layer: int) -> Any:
    """Return the keys that a config gives another value in one layer."""
    overrides = source.get(OVERRIDES) or {}
    return overrides.get(str(layer), overrides.get(layer))


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
