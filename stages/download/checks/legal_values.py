"""What a model's small files may say under the keys on which a merge or its child rests.

For each key there is one rule: what its value can be in any type of model. A null is as good as a
key that is left out. Keys that are not here are the model's own affair, and are copied.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stages.checkpoint.tokenizer_vocabulary import MAX_IDS

_LARGEST = 1 << 63  # sizes of tensors and positions fit 64 bits
_MOST_SHOWN = 80  # characters of a value


@dataclass(frozen=True, slots=True)
class Rule:
    """What is legal under the keys whose whole name matches; ``legal`` says it in words."""

    keys: re.Pattern[str]
    is_legal: Callable[[Any], bool]
    legal: str

    def fault(self, key: str, value: Any) -> str | None:
        """Return what is wrong with the value of a key, or None."""
        if value is None or self.is_legal(value):
            return None
        return f"{key} is {value!r:.{_MOST_SHOWN}}. Legal is {self.legal}"


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_whole(value: Any, least: int = 0) -> bool:
    return type(value) is int and least <= value < _LARGEST


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_id(value: Any) -> bool:
    """Return whether a value is an id, or one of the spellings of none: null and -1."""
    return value is None or (type(value) is int and -1 <= value < MAX_IDS)


def _one_or_list(is_legal: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: all(map(is_legal, value if isinstance(value, list) else [value]))


def _list_of(is_legal: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(is_legal, value))


def _rule(keys: str, is_legal: Callable[[Any], bool], legal: str) -> Rule:
    return Rule(re.compile("|".join(keys.split())), is_legal, legal)


def _is_depth(value: Any) -> bool:
    """Return whether a value is a number of layers, or several as LXMERT's."""
    parts = value.values() if _is_table(value) else [value]
    return all(_is_whole(number, 1) for number in parts)


# In the sections of a config, at any depth: DBRX says an activation as {"name": "silu"}; layers of
# one model may have several widths, numbers of heads or of experts; a window of -1 is none.
_CONFIG = (
    _rule(r"model_type (torch_)?dtype", _is_text, "a name"),  # of a section it may be empty
    _rule(r"architectures", _list_of(_is_name), "a list of names"),
    _rule(
        r"(.*_)?hidden_act(ivation)? activation_function",
        _is_name,
        'the name of an activation, such as "silu"',
    ),
    _rule(
        r"(.*_)?act_fn",
        lambda value: _is_name(value) or _is_table(value),
        'the name of an activation, such as "silu"',
    ),
    _rule(r"rope_parameters rope_scaling", _is_table, "an object of RoPE's parameters"),
    _rule(
        r"rope_theta rope_local_base_freq rotary_emb(edding)?_base",
        lambda value: _is_number(value) and value > 0,
        "a number above 0",
    ),
    _rule(
        r"partial_rotary_factor rotary_pct",
        lambda value: _is_number(value) and value >= 0,
        "a number from 0",
    ),
    _rule(
        r"(.*_)?(eps|epsilon)",
        lambda value: _is_number(value) and value >= 0,
        "a number from 0, such as 1e-05",
    ),
    _rule(
        r"hidden_size d_model n_embd vocab_size",
        lambda value: _is_whole(value, 1),
        "a whole number from 1",
    ),
    _rule(r"n_layers? num_hidden_layers", _is_depth, "a whole number from 1"),
    _rule(
        r"max_position_embeddings n_positions n_ctx max_seq_len",
        lambda value: _is_number(value) and value >= 0,
        "a number of positions from 0",
    ),
    _rule(
        r"(qk_nope_|qk_rope_|qk_|v_)?head_dim max_window_layers num_kv_shared_layers",
        _is_whole,
        "a whole number from 0",
    ),
    _rule(
        r"(moe_)?intermediate_size n_inner ffn_dim d_ff d_kv"
        r" n_heads? num_(attention_|key_value_|kv_)?heads"
        r" num_(local_)?experts n_(routed|shared)_experts num_experts_per_tok(en)?",
        _one_or_list(_is_whole),
        "a whole number from 0, or a list of them",
    ),
    _rule(
        r"sliding_window(_size)? attention_chunk_size",
        lambda value: _is_whole(value, -1),
        "a whole number of positions",
    ),
    _rule(
        r"layer_types layers_block_type block_types mlp_layer_types",
        _list_of(_is_name),
        "a list of the layers' kinds",
    ),
    _rule(
        r"(embedding|residual|attention)_multiplier logits?_scal(e|ing) routed_scaling_factor"
        r" (.*_)?logit_softcapping query_pre_attn_scalar",
        _is_number,
        "a finite number",
    ),
    _rule(
        r"tie_word_embeddings tie_embedding is_encoder_decoder use_sliding_window"
        r" attention_bias mlp_bias",
        _is_switch,
        "true or false",
    ),
    _rule(r"text_config quantization_config", _is_table, "an object"),
)
_IDS = _rule(r".*_token_id", _one_or_list(_is_id), "the id of a token, or a list of ids")
_GENERATION = (
    _rule(r"do_sample use_cache", _is_switch, "true or false"),
    _rule(
        r"temperature top_p min_p typical_p repetition_penalty",
        lambda value: _is_number(value) and value >= 0,
        "a number from 0",
    ),
    _rule(r"top_k", lambda value: _is_whole(value, -1), "a whole number"),
    _rule(
        r"(max|min)(_new)?_length (max|min)_new_tokens num_beams num_return_sequences",
        _is_whole,
        "a whole number from 0",
    ),
)


def _is_added_token(value: Any) -> bool:
    return _is_table(value) and _is_text(value.get("content"))


_SPECIAL_TOKENS = (
    _rule(
        r"(bos|eos|unk|pad|sep|cls|mask)_token",
        lambda value: _is_text(value) or _is_added_token(value),
        "the text of a token",
    ),
)
_TOKENIZER = (
    *_SPECIAL_TOKENS,
    _rule(r"tokenizer_class", _is_text, "a name"),
    # Tokenizers write "no limit" as a whole number of 31 digits, or as 1e30.
    _rule(
        r"(model_)?max_length",
        lambda value: type(value) in (int, float) and value >= 0,
        "a number of tokens from 0",
    ),
    _rule(
        r"(add_(bos|eos)_token|do_lower_case|clean_up_tokenization_spaces|split_special_tokens)",
        _is_switch,
        "true or false",
    ),
    _rule(r"padding_side truncation_side", ("left", "right").__contains__, "left or right"),
    _rule(
        r"added_tokens_decoder",
        lambda value: _is_table(value) and all(map(_is_added_token, value.values())),
        'an object with an entry for each id, such as {"content": "</s>"}',
    ),
)
_SECTION = re.compile(r"(?!quantization_).*_config|encoder|decoder")


def file_faults(name: str, data: Mapping[str, Any]) -> Iterator[str]:
    """Return what is wrong with the values in a model's file, a sentence for each."""
    if name == "config.json":
        yield from _section_faults(data)
    elif name == "generation_config.json":
        yield from _faults((_IDS, *_GENERATION), data)
    elif name == "tokenizer_config.json":
        yield from _faults(_TOKENIZER, data)
    elif name == "special_tokens_map.json":
        yield from _faults(_SPECIAL_TOKENS, data)


def _section_faults(section: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Return the faults of a config and of the sections in it."""
    yield from _faults((_IDS, *_CONFIG), section, prefix)
    for key in ("rope_parameters", "rope_scaling"):
        if isinstance(section.get(key), Mapping):
            yield from _rope_faults(section[key], f"{prefix}{key}.")
    for key, value in section.items():
        if isinstance(value, Mapping) and _SECTION.fullmatch(key):
            yield from _section_faults(value, f"{prefix}{key}.")


_ROPE = (
    _rule(r"(rope_)?type", _is_name, "the name of a kind of RoPE"),
    _rule(
        r"rope_theta (low_freq_|high_freq_)?factor beta_fast beta_slow attention_factor",
        lambda value: _is_number(value) and value > 0,
        "a number above 0",
    ),
    _rule(
        r"mscale mscale_all_dim partial_rotary_factor",
        lambda value: _is_number(value) and value >= 0,
        "a number from 0",
    ),
    _rule(
        r"original_max_position_embeddings",
        lambda value: _is_number(value) and value > 0,
        "a number of positions from 1",
    ),
    _rule(
        r"(short|long)_factor",
        _list_of(lambda value: _is_number(value) and value > 0),
        "a list of numbers above 0",
    ),
    _rule(r"mrope_section", _list_of(_is_whole), "a list of whole numbers from 0"),
)


def _rope_faults(rope: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Return the faults of RoPE's parameters: for all layers, or a table for each kind of them."""
    yield from _faults(_ROPE, rope, prefix)
    for kind, parameters in rope.items():
        if isinstance(parameters, Mapping):
            yield from _faults(_ROPE, parameters, f"{prefix}{kind}.")


def _faults(rules: tuple[Rule, ...], data: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in data.items():
        rule = next((rule for rule in rules if rule.keys.fullmatch(key)), None)
        fault = rule.fault(f"{prefix}{key}", value) if rule else None
        if fault is not None:
            yield fault
