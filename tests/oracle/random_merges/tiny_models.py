"""Tiny models of five kinds, in three dtypes: a base, fine-tunes far and near, odd ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    LlamaConfig,
    MixtralConfig,
    Phi3Config,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

NUM_LAYERS = 4
SHAPE: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": NUM_LAYERS,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "max_position_embeddings": 64,
}
KINDS: dict[str, Callable[[int], Any]] = {
    "llama": lambda rows: LlamaConfig(**SHAPE, vocab_size=rows, tie_word_embeddings=False),
    "qwen2": lambda rows: Qwen2Config(
        **SHAPE, vocab_size=rows, tie_word_embeddings=True, max_window_layers=NUM_LAYERS
    ),
    "gemma2": lambda rows: Gemma2Config(**SHAPE, vocab_size=rows, head_dim=8, sliding_window=16),
    "mixtral": lambda rows: MixtralConfig(
        **SHAPE, vocab_size=rows, num_local_experts=2, tie_word_embeddings=False
    ),
    "phi3": lambda rows: Phi3Config(**SHAPE, vocab_size=rows, tie_word_embeddings=False),
}
DTYPES = ("float32", "bfloat16", "float16")
FINE_TUNES = ("one", "two", "three", "near", "frozen")
WORDS = ["<pad>", "<s>", "</s>", "<unk>", "one", "two", "three", "plus", "is", "ten", "six"]
WIDE_WORDS = [*WORDS[:4], "plus", "hund", "two", "three", "katze", "one", "is", "ten", "maus"]
_STEPS = {"one": 0.25, "two": 0.25, "three": 0.1, "near": 0.01, "frozen": 0.2, "wide": 0.2}


def save_models(root: Path, kind: str, dtype: str) -> Path:
    """Save the base and its fine-tunes under ``root``, and return it.

    ``frozen`` has the base's tensors in layer 1 and in its embedding; ``wide`` has the base's
    layers plus a step, and a vocabulary of its own.
    """
    base = _save(root / "base", kind, dtype, WORDS, seed=1, start={}, step=0.3)
    for seed, name in enumerate((*FINE_TUNES, "wide"), start=2):
        words = WIDE_WORDS if name == "wide" else WORDS
        _save(root / name, kind, dtype, words, seed=seed, start=base, step=_STEPS[name])
    return root


def _save(
    folder: Path,
    kind: str,
    dtype: str,
    words: list[str],
    *,
    seed: int,
    start: dict[str, Tensor],
    step: float,
) -> dict[str, Tensor]:
    """Save ``start`` plus a random step, and return its parameters; other shapes start at 0."""
    config = KINDS[kind](len(words))
    model = AutoModelForCausalLM.from_config(config)
    generator = torch.Generator().manual_seed(seed)
    is_frozen = folder.name == "frozen"
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator) * step
            origin = start.get(name)
            has_origin = origin is not None and origin.shape == noise.shape
            if is_frozen and (".layers.1." in name or "embed_tokens" in name):
                noise.zero_()
            parameter.copy_(noise if origin is None or not has_origin else origin + noise)
    parameters = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    _tokenizer(words, folder.name).save_pretrained(folder)
    return parameters


def _tokenizer(words: list[str], name: str) -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    special = dict(zip(("pad_token", "bos_token", "eos_token", "unk_token"), words, strict=False))
    fast = PreTrainedTokenizerFast(tokenizer_object=inner, **special)
    if name != "two":
        fast.chat_template = "{{ messages[0].content }}" + ("!" if name == "three" else "")
    return fast
