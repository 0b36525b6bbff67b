"""Find where two config.json files make models of equal shapes compute different functions.

Weights are merged as if the code around them were the same. Every key that decides what that code
does must therefore agree; only keys listed here as harmless may differ. Configs are compared as
transformers reads them: under its own names for attributes, with its defaults filled in, so that a
key that is left out equals its default. Where transformers does not know the type of the model,
keys are compared as they are written.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stages.checkpoint.model_config.config_reading import Config, read_config

# What may differ without a change of the function, or is compared elsewhere and better:
_HARMLESS = re.compile(
    "|".join(
        (
            r"_.*",  # private: where a config came from, how attention is carried out
            r"name_or_path|base_model_name_or_path|transformers_version|architectures|auto_map",
            r"model_type",  # compared apart
            r"(torch_)?dtype|.*_dtype",  # of the file; merges read each in its own
            r"(.*_)?vocab_size(_.*)?|.*_token_(id|ids|index)|tie_.*",  # tokenizer and tensor rules
            r"use_cache|.*cache_implementation|return_.*|output_.*|torchscript|use_bfloat16",
            r"attn_implementation|use_flash_.*|use_.*_kernels?|pretraining_tp|chunk_size_feed_forward",
            r"reorder_and_upcast_attn|gradient_checkpointing|use_reentrant|quantization_config",
            r"(.*_)?dropout(_.*)?|.*drop(out)?|.*_p?drop|.*drop_path.*|.*_dropout_(p|prob|rate)",
            r"initializer_.*|init_std|.*_init_(std|range|scheme)|.*_init_range",  # training only
            r".*_loss.*|router_jitter_noise|aux_.*|seq_aux|ignore_index",
            r"num_nextn_predict_layers|(.*_)?mtp_.*",  # a module of its own predicts these
            r"id2label|label2id|num_labels|problem_type|finetuning_task|summary_.*|prefix",
            r"task_specific_params|classifier_.*|tokenizer_class|processor_class|.*max_length",
            r"unsloth_.*|transformers\.js_config|torch_version|peft_version",
        )
    )
)
# A number of positions decides nothing by itself (learned ones have a tensor of that shape), but
# these kinds of RoPE are scaled by it.
_POSITIONS = re.compile(r"(original_)?max_position_embeddings|n_positions|n_ctx|max_seq_len")
_SCALED_BY_POSITIONS = ("dynamic", "longrope", "su")
# Widths are shapes of tensors; a config may leave them to a rule, as n_inner to 4 x n_embd.
_WIDTHS = re.compile(r"n_inner|d_inner|head_dim|ffn_dim|d_kv|d_ff|intermediate_size")
_DEPTH = re.compile(r"(.*_)?(layers?|depth)")
# From these transformers makes layer_types and sliding_window, which are compared.
_DERIVED = ("use_sliding_window", "max_window_layers", "sliding_window_pattern")
_ROPE_DEFAULTS = {"partial_rotary_factor": 1.0, "beta_fast": 32, "beta_slow": 1, "truncate": True}
_MOST_SHOWN = 100  # characters of a value
_ROPE_UNSCALED = ("factor", "original_max_position_embeddings", "attention_factor")
# Several names of one function: the tanh form of GELU has three.
_ROPE_KINDS = {"su": "longrope", "mrope": "default"}  # of old, and by another name
_ACTIVATIONS = {
    "swish": "silu",
    "gelu_python": "gelu",
    **dict.fromkeys(("gelu_new", "gelu_fast", "gelu_pytorch_tanh"), "tanh form of gelu"),
}
# What decides the function wherever a config has it: where transformers does not know the type.
_DECIDING = re.compile(
    r"(.*_)?(size|heads?|kv_heads|head_dim|groups?|layers?|layer_types|n_embd|n_inner|ffn_dim"
    r"|act|activation|activation_function|eps|epsilon|bias|scale|scalar|scaling|multiplier"
    r"|softcapping|softcap|sliding_window|window|theta|rope_type|rotary.*|alibi|factor"
    r"|experts?|experts_per_tok(en)?|top_?k|topk_method|norm_type|parallel.*|multi_query)"
)


@dataclass(frozen=True, slots=True)
class Differences:
    """How one config differs from another, as ``n_head is 2, the base's 4``.

    ``deciding`` change what the weights compute. ``unknown`` concern keys that transformers does
    not read for this type of model, so their effect is unknown.
    """

    deciding: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def differences(
    base: Config, other: Config, *, owner: str = "the base's", layers: bool = True
) -> Differences:
    """Return how ``other`` differs from ``base`` beyond what is harmless.

    ``owner`` names the owner of the values of ``base`` in the sentences. Without ``layers``, the
    number of layers, and lists with an entry per layer, may differ: the stacking of layers checks
    them. A text-only model is compared with the text section of one that has more.
    """
    if _flat(base, layers) == _flat(other, layers) and _kind(base) == _kind(other):
        return Differences()
    read = _read(base), _read(other)
    is_read = None not in read
    base, other = (read[0] or base, read[1] or other) if is_read else (base, other)
    if None in (_kind(base), _kind(other)) or _kind(base) == _kind(other):
        return _compared(base, other, owner, layers=layers, is_read=is_read)
    pair = _text_of_one(base, other)
    if pair is None:
        return Differences((_told("model_type", _kind(other), _kind(base), owner),))
    if _kind(pair[0]) != _kind(pair[1]):
        return _across_types(*pair, owner, layers=layers)
    return _compared(*pair, owner, layers=layers, is_read=is_read)


def _compared(
    base: Config, other: Config, owner: str, *, layers: bool, is_read: bool
) -> Differences:
    deciding: list[str] = []
    unknown: list[str] = []
    for path, a, b in _unequal(base, other, layers=layers):
        if is_read:
            is_deciding = _is_known(base, path) or _is_known(other, path)
        else:
            is_deciding = _decides(path, a, b)
        (deciding if is_deciding else unknown).append(_told(path, b, a, owner))
    return Differences(tuple(deciding), tuple(unknown))


def _across_types(base: Config, other: Config, owner: str, *, layers: bool) -> Differences:
    """Compare a text section with a text model of another type, as Qwen2-VL's with Qwen2.

    Keys that only one of the types has are left out; where both have their own type's default,
    which need not be what the models were trained with, the difference counts as unknown.
    """
    usual = [_flat(_read({"model_type": _kind(c)}) or {}, layers) for c in (base, other)]
    deciding: list[str] = []
    unknown: list[str] = []
    for path, a, b in _unequal(base, other, layers=layers):
        if None in (a, b):
            continue
        is_usual = (a, b) == (usual[0].get(path), usual[1].get(path))
        is_deciding = _decides(path, a, b) and not is_usual
        (deciding if is_deciding else unknown).append(_told(path, b, a, owner))
    return Differences(tuple(deciding), tuple(unknown))


def _unequal(base: Config, other: Config, *, layers: bool) -> Iterator[tuple[str, Any, Any]]:
    base_keys, other_keys = _flat(base, layers), _flat(other, layers)
    for path in sorted({*base_keys, *other_keys}):
        if not _are_same(path, base_keys.get(path), other_keys.get(path)):
            yield path, base_keys.get(path), other_keys.get(path)


def _told(path: str, other: Any, base: Any, owner: str) -> str:
    if path.endswith("rope_type"):
        base, other = base or "default", other or "default"
    return f"{path} is {_shown(other)}, {owner} {_shown(base)}{_first_unlike(other, base)}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _first_unlike(other: Any, base: Any) -> str:
    """Return which entry of two lists differs first, where they are too long to be shown."""
    lists = (other, base)
    if not all(isinstance(v, list | tuple) and len(repr(v)) > _MOST_SHOWN for v in lists):
        return ""
    pairs = enumerate(zip(other, base, strict=False))
    unlike = next((i for i, (a, b) in pairs if a != b), min(len(other), len(base)))
    return f" (entry {unlike} is the first that differs)"


def _kind(config: Config) -> Any:
    return config.get("model_type")


def _text_of_one(base: Config, other: Config) -> tuple[Config, Config] | None:
    """Return the models' text sections where only one of them has more than text, or None."""
    base_text, other_text = base.get("text_config"), other.get("text_config")
    if isinstance(base_text, Mapping) and not isinstance(other_text, Mapping):
        return base_text, other
    if isinstance(other_text, Mapping) and not isinstance(base_text, Mapping):
        return base, other_text
    return None


def _read(config: Config) -> dict[str, Any] | None:
    """Return a config with transformers' defaults and names, or None for types unknown to it."""
    read = read_config(config)
    return None if read is None else {**read.to_dict()}


def _is_known(config: Config, path: str) -> bool:
    """Return whether transformers' class for this section of a config reads a key."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    section: Any = config
    for part in path.split("."):
        if _kind(section) is None:
            return True  # inside a plain value, as rope_parameters
        kind = CONFIG_MAPPING[_kind(section)]
        fields = {*getattr(kind, "__dataclass_fields__", ())}
        if part not in fields | {*inspect.signature(kind.__init__).parameters}:
            return False
        section = section.get(part)
        if not isinstance(section, Mapping):
            return True
    return True


def _decides(path: str, base: Any, other: Any) -> bool:
    """Return whether a key decides the function, by its name: both configs must give it."""
    leaf = path.rpartition(".")[2]
    if leaf == "rope_type":
        return True
    return None not in (base, other) and _DECIDING.fullmatch(leaf) is not None


def _flat(config: Config, layers: bool, prefix: str = "") -> dict[str, Any]:
    """Return a config's relevant keys, those of its sections as ``section.key``."""
    section = _with_rope(config)
    depths = {v for k, v in section.items() if _DEPTH.fullmatch(str(k)) and type(v) is int}
    keys: dict[str, Any] = {}
    for key, value in ((str(key), value) for key, value in section.items()):
        if _is_passed_over(key, section):
            continue
        if not layers and (_DEPTH.fullmatch(key) or _is_by_layer(key, value, depths)):
            continue
        if isinstance(value, Mapping):
            keys |= _flat(value, layers, f"{prefix}{key}.")
        else:
            keys[prefix + key] = value
    return keys


def _is_passed_over(key: str, section: Config) -> bool:
    if key in _DERIVED:
        return "layer_types" in section
    if _POSITIONS.fullmatch(key) and "rope_type" not in section:
        rope = section.get("rope_parameters")
        return not (isinstance(rope, Mapping) and rope.get("rope_type") in _SCALED_BY_POSITIONS)
    return _HARMLESS.fullmatch(key) is not None


def _is_by_layer(key: str, value: Any, depths: set[int]) -> bool:
    return isinstance(value, list) and ("layer" in key or len(value) in depths)


def _with_rope(config: Config) -> dict[str, Any]:
    """Return a config with all its RoPE settings under ``rope_parameters``, in one spelling."""
    rest = dict(config)
    if "rope_type" in rest or "type" in rest:
        return rest  # these are the rope_parameters themselves
    said = [rest.pop(key, None) for key in ("rope_scaling", "rope_parameters")]
    rope: dict[str, Any] = {}
    for part in said:
        rope |= part if isinstance(part, Mapping) else {}
    if any(isinstance(value, Mapping) for value in rope.values()):
        nested = {k: _plain(v) if isinstance(v, Mapping) else v for k, v in rope.items()}
        return {**rest, "rope_parameters": nested}
    for key in ("rope_theta", "partial_rotary_factor"):
        if key in rest:
            rope.setdefault(key, rest.pop(key))
    return {**rest, "rope_parameters": _plain(rope)} if rope else rest


def _plain(rope: Config) -> dict[str, Any]:
    """Return RoPE's parameters without those that have no effect."""
    kind = rope.get("rope_type") or rope.get("type") or "default"
    kind = _ROPE_KINDS.get(str(kind), kind)
    if kind == "linear" and rope.get("factor") == 1:
        kind = "default"
    dropped = ("type", "rope_type", *(_ROPE_UNSCALED if kind == "default" else ()))
    parameters = {
        key: value
        for key, value in rope.items()
        if key not in dropped and _ROPE_DEFAULTS.get(key, ...) != value
    }
    return {**parameters, "rope_type": kind}


def _are_same(path: str, base: Any, other: Any) -> bool:
    leaf = path.rpartition(".")[2]
    if leaf == "rope_type":
        return (base or "default") == (other or "default")
    if _WIDTHS.fullmatch(leaf) and None in (base, other):
        return True
    if leaf.endswith(("act", "activation", "activation_function")):
        base, other = (_ACTIVATIONS.get(str(v), v) for v in (base, other))
    return bool(_plain_value(base) == _plain_value(other))


def _plain_value(value: Any) -> Any:
    """Return None for values that mean nothing: false, an empty list."""
    return None if value is False or value in ([], ()) else value
