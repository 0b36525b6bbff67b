"""A tiny random model of each kind of attention and state, written with one small tokenizer."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    PreTrainedTokenizerFast,
)

CONTEXT = 512
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": CONTEXT,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": 2,
}
WINDOWS = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 12}
# By name: the kind of transformers' config, and what it needs besides SIZES.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "gemma2": ("gemma2", WINDOWS),
    "gemma3": ("gemma3_text", WINDOWS),
    "mistral": ("mistral", {"sliding_window": 12}),
    "phi3": ("phi3", {"sliding_window": 12}),
    "qwen2": ("qwen2", WINDOWS | {"use_sliding_window": True}),
    "qwen3": ("qwen3", {}),
    "gpt2": ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": CONTEXT}),
    "gpt_neox": ("gpt_neox", {}),
    "gpt_oss": ("gpt_oss", WINDOWS | {"num_local_experts": 4}),
    "mixtral": ("mixtral", {"num_local_experts": 4}),
    "cohere2": ("cohere2", WINDOWS),
    "bloom": ("bloom", {"n_head": 2, "n_layer": 2}),
    "mamba": ("mamba", {}),
    "rwkv": ("rwkv", {"attention_hidden_size": 32}),
    "jamba": (
        "jamba",
        {"attn_layer_period": 2, "attn_layer_offset": 1, "use_mamba_kernels": False},
    ),
    "falcon_h1": ("falcon_h1", {"mamba_d_ssm": 32, "mamba_n_heads": 2, "mamba_d_head": 16}),
    "lfm2": ("lfm2", {"layer_types": ["conv", "full_attention"]}),
}
# A hybrid with linear attention, which test_repeated_scores scores.
LINEAR: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen3_5": (
        "qwen3_5_text",
        {
            "layer_types": ["linear_attention", "full_attention"],
            "linear_key_head_dim": 16,
            "linear_value_head_dim": 16,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 2,
        },
    ),
}
# Models whose generation_config.json takes part.
DECODING: dict[str, dict[str, Any]] = {
    "penalty": {"repetition_penalty": 1.3, "do_sample": True, "temperature": 0.7, "top_k": 20},
    "beams": {"num_beams": 3, "no_repeat_ngram_size": 3},
    "stops": {"eos_token_id": [1, *range(70, 90)], "min_new_tokens": 2},
}
SPECIAL = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>"}
CHAT = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def write_tokenizer(folder: Path, texts: list[str], *, has_start: bool) -> int:
    """Write a byte-level tokenizer with a chat template; return how many tokens it has."""
    own = Tokenizer(models.BPE())
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = list(SPECIAL.values())
    own.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet),
    )
    if has_start:
        own.post_processor = processors.TemplateProcessing(
            single="<bos> $A", special_tokens=[("<bos>", 2)]
        )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=own,
        **SPECIAL,
        chat_template=CHAT,
        clean_up_tokenization_spaces=False,
    )
    fast.save_pretrained(folder)
    return len(fast)


def write_kind(name: str, folder: Path, texts: list[str], *, context: int = CONTEXT) -> Path:
    """Write the model ``name`` of ``KINDS``, ``LINEAR`` or ``DECODING``; all weights count."""
    kind, changes = (KINDS | LINEAR).get(name, ("llama", {}))
    has_start = kind in ("llama", "gemma2", "gemma3_text", "mistral")
    size = write_tokenizer(folder, texts, has_start=has_start)
    sizes = {"vocab_size": size, "max_position_embeddings": context}
    config = AutoConfig.for_model(kind, **SIZES | sizes | changes)
    is_seq2seq = getattr(config, "is_encoder_decoder", False)
    model: Any = (AutoModelForSeq2SeqLM if is_seq2seq else AutoModelForCausalLM).from_config(
        config
    )
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim > 1:
                weights.copy_(torch.randn(weights.shape, generator=generator) * 0.3)
    model.save_pretrained(folder)
    if name in DECODING:
        own = {"bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0} | DECODING[name]
        (folder / "generation_config.json").write_text(json.dumps(own))
    return folder
