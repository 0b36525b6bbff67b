"""A small random model of an architecture: the config of a real one, with small numbers in it.

What holds for every weight of an architecture is tried on it, in float64 and on the processor,
before a child is planned.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn

from stages.checkpoint.model_config.config_reading import read_config, silenced
from stages.errors import RecipeError, kind_and_words, words_of
from stages.merge.architecture.layer_kinds import (
    OVERRIDES,
    entry_lists,
    listed_kinds,
    number_lists,
)
from stages.merge.architecture.layer_stacks import NUM_LAYERS
from stages.merge.arithmetic.singular_values import one_thread

MAX_WEIGHTS = 4_000_000  # a model of as many weights is tried as it is
MAX_LAYERS = 6
PLAIN = {"attn_implementation": "eager", "experts_implementation": "eager"}  # take float64
_WIDTH, _NUM_HEADS, _HEAD_DIM = 64, 4, 16
# What stands for an integer of the config, whatever the model says, where it says something.
_SIZES = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "word_embed_proj_dim"), _WIDTH),
    **dict.fromkeys(("embedding_size", "dim", "hidden_dim", "attention_hidden_size"), _WIDTH),
    **dict.fromkeys(("lru_width",), _WIDTH),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), _NUM_HEADS),
    **dict.fromkeys(("head_dim", "kv_channels", "attention_head_dim", "v_head_dim"), _HEAD_DIM),
    **dict.fromkeys(("qk_nope_head_dim", "qk_rope_head_dim", "global_head_dim"), _HEAD_DIM),
    **dict.fromkeys(("kv_lora_rank", "q_lora_rank"), _HEAD_DIM),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "ffn_hidden_size", "n_inner"), 96),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size"), 32),
    **dict.fromkeys(("linear_key_head_dim", "linear_value_head_dim"), _HEAD_DIM),
    **dict.fromkeys(("linear_head_dim",), _HEAD_DIM),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"), 64),
    **dict.fromkeys(("vocab_size", "vocab_size_per_layer_input", "type_vocab_size"), 64),
    **dict.fromkeys(("qk_head_dim",), 2 * _HEAD_DIM),
    **dict.fromkeys(("mamba_n_heads", "mamba_num_heads"), 2 * _NUM_HEADS),  # twice the width
    **dict.fromkeys(("mamba_d_head", "mamba_head_dim"), _HEAD_DIM),
    **dict.fromkeys(("mamba_d_ssm",), 2 * _WIDTH),
    **dict.fromkeys(("dim_model", "dim_ff"), _WIDTH),
    **dict.fromkeys(("dim_head",), _HEAD_DIM),
    **dict.fromkeys(("n_group", "topk_group", "num_expert_group"), 1),
}
_AT_MOST = {
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
    **dict.fromkeys(
        ("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_k", "top_k_experts"), 2
    ),
    **dict.fromkeys(("moe_num_experts", "linear_num_key_heads", "linear_num_value_heads"), 4),
    **dict.fromkeys(("linear_num_heads",), 4),
    **dict.fromkeys(("sliding_window", "attention_chunk_size", "mamba_d_state"), 8),
    **dict.fromkeys(("state_size", "time_step_rank", "mamba_dt_rank"), 8),
    **dict.fromkeys(("rotary_dim",), _HEAD_DIM // 2),  # half of a head, as in GPT-J
    **dict.fromkeys(("first_k_dense_replace", "num_dense_layers"), 1),
    **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "sep_token_id"), 3),
}
_KEY_VALUE_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv")
_NUM_LAYERS = (*NUM_LAYERS, "n_layers")


def small_copy(config: Mapping[str, Any]) -> nn.Module:
    """Return a random model without a head of the architecture that a config.json describes.

    Of a model that sees or hears it is the language model. Its layers are of each kind that the
    lists of the config tell. Weights and stored buffers are random, in float64.

    Raises:
        RecipeError: transformers cannot make one; the message says why.
    """
    kind = config.get("model_type")
    try:
        text = _small_config(config)
        from transformers import AutoModel

        with torch.random.fork_rng(devices=[]):
            model: nn.Module = AutoModel.from_config(text, **PLAIN)
    except RecipeError:
        raise
    except Exception as error:
        raise RecipeError(
            f"transformers cannot make a small model of model_type {kind} to try gains on: "
            f"{kind_and_words(error)}. Leave gains out."
        ) from error
    return randomised(model.double().eval())


def _small_config(config: Mapping[str, Any]) -> Any:
    """Return the config of a language model, with small sizes where it is not small."""
    from transformers import AutoModel

    whole = read_config(config)
    if whole is None:
        raise RecipeError(f"transformers cannot read its config of {config.get('model_type')}.")
    text = whole.get_text_config()
    if text.is_encoder_decoder:
        raise RecipeError(
            f"model_type {text.model_type} is an encoder-decoder. Gains are for models of one "
            "stack of layers; leave them out."
        )
    sharing = why_shared(config)
    if sharing is not None:
        raise RecipeError(f"{sharing}. Gains are not for these; leave them out.")
    with torch.device("meta"):
        if _num_weights(AutoModel.from_config(text)) <= MAX_WEIGHTS:
            return text
        small = type(text)(**_shrunk(text.to_dict()))
        size = _num_weights(AutoModel.from_config(small))
    if size > 2 * MAX_WEIGHTS:
        raise RecipeError(
            f"the sizes of model_type {text.model_type} are unknown: a small model of it would "
            f"have {size} weights. Leave gains out."
        )
    return small


def why_shared(config: Mapping[str, Any]) -> str | None:
    """Return that the last layers use keys of earlier ones, or None where they do not."""
    whole = read_config(config)
    text: Any = None
    with suppress(ValueError):  # it has several language models; which is meant cannot be told
        text = None if whole is None else whole.get_text_config()
    count = getattr(text, "num_kv_shared_layers", 0)
    if not count:
        return None
    return (
        f"model_type {text.model_type}: its last {count} layers use keys and values of others "
        "(num_kv_shared_layers)"
    )


def without_last_layer(model: nn.Module) -> nn.Module:
    """Return a small model of one layer less than ``model``, with weights of its own.

    Raises:
        RecipeError: transformers cannot make one; the message says why.
    """
    from transformers import AutoModel

    config: Any = model.config
    try:
        said = _of_layers(config.to_dict(), range(config.num_hidden_layers - 1))
        with torch.random.fork_rng(devices=[]):
            shorter: nn.Module = AutoModel.from_config(type(config)(**said), **PLAIN)
    except Exception as error:
        raise RecipeError(f"no shorter model of {config.model_type}: {words_of(error)}") from error
    return shorter.double().eval()


@contextmanager
def trying() -> Iterator[None]:
    """Keep transformers' notes and bars on a small model from the terminal, and it on one thread.

    Several wait for each other longer than they calculate.
    """
    from transformers.utils import logging

    shows_bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with silenced(), one_thread():
            yield
    finally:
        if shows_bars:
            logging.enable_progress_bar()


def _num_weights(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@torch.no_grad()
def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give every parameter and stored buffer of ``model`` random numbers; return the model.

    Vectors are about 1, as weights of norms are; matrices keep the stream's size.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        noise = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)
        if tensor.dim() < 2:
            is_bias = name.endswith("bias")
            tensor.copy_(noise * 0.2 if is_bias else 1 + 0.2 * noise)
        else:
            tensor.copy_(noise / math.sqrt(tensor.shape[-1]))
    return model


def _shrunk(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config with small sizes, and with the layers that show each kind once."""
    heads = next((config[n] for n in ("num_attention_heads", "n_head") if config.get(n)), None)
    return _cut(_with_small_sizes(config, heads))


def _with_small_sizes(config: Mapping[str, Any], heads: Any) -> dict[str, Any]:
    small: dict[str, Any] = {}
    for key, value in config.items():
        if key == OVERRIDES and isinstance(value, Mapping):
            small[key] = {n: _with_small_sizes(own, heads) for n, own in value.items()}
        elif type(value) is not int or value <= 0:
            small[key] = value
        elif key in _KEY_VALUE_HEADS:
            small[key] = _NUM_HEADS if value == heads else 1 if value == 1 else 2
        elif key in _SIZES:
            small[key] = _SIZES[key]
        else:
            small[key] = min(value, _AT_MOST.get(key, value))
    return small


def _cut(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config of the first layers of each kind that its lists tell."""
    depth = next((config[name] for name in _NUM_LAYERS if config.get(name)), 0)
    kinds: dict[str, int] = {}
    for layer, kind in enumerate(listed_kinds(config, depth)):
        kinds.setdefault(kind, layer)
    firsts = sorted([*kinds.values()][:MAX_LAYERS])
    others = [layer for layer in range(depth) if layer not in firsts]
    return _of_layers(config, sorted((*firsts, *others[: max(0, 4 - len(firsts))])))


def _of_layers(config: dict[str, Any], layers: Sequence[int]) -> dict[str, Any]:
    """Return a config that says of its layers what another says of these."""
    depth = next((config[name] for name in _NUM_LAYERS if config.get(name)), 0)
    entries, numbers = entry_lists(config, depth), number_lists(config, depth)
    cut: dict[str, Any] = {key: [config[key][layer] for layer in layers] for key in entries}
    cut |= {key: [n for n, layer in enumerate(layers) if layer in config[key]] for key in numbers}
    said = {int(n): own for n, own in (config.get(OVERRIDES) or {}).items()}
    if said:
        cut[OVERRIDES] = {str(n): said[layer] for n, layer in enumerate(layers) if layer in said}
    return {**config, **cut, **{n: len(layers) for n in _NUM_LAYERS if config.get(n)}}
