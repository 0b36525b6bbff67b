"""Tiny random models by architecture: two layers, width 16, 64 tokens, made from configs alone."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PretrainedConfig, PreTrainedModel

SMALL: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_VISION = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
}
_NO_KV = {k: v for k, v in SMALL.items() if k != "num_key_value_heads"}
_GPT2 = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "vocab_size": 64}
_T5 = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_heads": 2, "vocab_size": 64}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8}


def _llava() -> PretrainedConfig:
    return transformers.LlavaConfig(
        text_config=transformers.LlamaConfig(**SMALL),
        vision_config=transformers.CLIPVisionConfig(**_VISION, projection_dim=16),
        image_token_index=63,
        image_seq_length=4,
    )


def _gemma3_vision() -> PretrainedConfig:
    return transformers.Gemma3Config(
        text_config=transformers.Gemma3TextConfig(**SMALL, head_dim=8),
        vision_config=transformers.SiglipVisionConfig(**_VISION),
        mm_tokens_per_image=4,
        image_token_index=63,
        boi_token_index=61,
        eoi_token_index=62,
    )


def _qwen2_vision() -> PretrainedConfig:
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4}
    vision = {"depth": 3, "embed_dim": 16, "hidden_size": 16, "num_heads": 2, "patch_size": 8}
    return transformers.Qwen2VLConfig(
        text_config={**SMALL, "rope_parameters": rope}, vision_config={**vision, "mlp_ratio": 2}
    )


Made = Callable[[], PretrainedConfig]
t = transformers
TEXT: dict[str, tuple[str, Made]] = {
    "llama": ("LlamaForCausalLM", lambda: t.LlamaConfig(**SMALL)),
    "mistral": ("MistralForCausalLM", lambda: t.MistralConfig(**SMALL)),
    "qwen2": ("Qwen2ForCausalLM", lambda: t.Qwen2Config(**SMALL, tie_word_embeddings=True)),
    "qwen3": (
        "Qwen3ForCausalLM",
        lambda: t.Qwen3Config(**SMALL, head_dim=8, tie_word_embeddings=True),
    ),
    "gemma2": ("Gemma2ForCausalLM", lambda: t.Gemma2Config(**SMALL, head_dim=8)),
    "gemma3": ("Gemma3ForCausalLM", lambda: t.Gemma3TextConfig(**SMALL, head_dim=8)),
    "phi3": ("Phi3ForCausalLM", lambda: t.Phi3Config(**SMALL)),
    "gpt2": ("GPT2LMHeadModel", lambda: t.GPT2Config(**_GPT2, bos_token_id=1, eos_token_id=2)),
    "gpt_neox": ("GPTNeoXForCausalLM", lambda: t.GPTNeoXConfig(**_NO_KV)),
    "olmo2": ("Olmo2ForCausalLM", lambda: t.Olmo2Config(**SMALL)),
    "mixtral": ("MixtralForCausalLM", lambda: t.MixtralConfig(**SMALL, num_local_experts=4)),
    "qwen3_moe": (
        "Qwen3MoeForCausalLM",
        lambda: t.Qwen3MoeConfig(**SMALL, **_EXPERTS, head_dim=8),
    ),
    "mamba": (
        "MambaForCausalLM",
        lambda: t.MambaConfig(vocab_size=64, hidden_size=16, num_hidden_layers=2, state_size=4),
    ),
    "bert": ("BertForMaskedLM", lambda: t.BertConfig(**_NO_KV)),
    "t5": (
        "T5ForConditionalGeneration",
        lambda: t.T5Config(**_T5, num_layers=2, num_decoder_layers=3, decoder_start_token_id=0),
    ),
}
VISION: dict[str, tuple[str, Made]] = {
    "llava": ("LlavaForConditionalGeneration", _llava),
    "gemma3_vision": ("Gemma3ForConditionalGeneration", _gemma3_vision),
    "qwen2_vision": ("Qwen2VLForConditionalGeneration", _qwen2_vision),
}
FAMILIES = TEXT | VISION


def make(family: str, seed: int) -> PreTrainedModel:
    """Return a random model of a family; seed 0 is the base, the others are near it."""
    name, config = FAMILIES[family]
    model: PreTrainedModel = getattr(transformers, name)(config())
    scatter(model, 0, 0.3)
    if seed:
        scatter(model, seed, 0.1)
    return model.eval()


@torch.no_grad()
def scatter(model: PreTrainedModel, seed: int, scale: float) -> None:
    """Add noise of a seed to every parameter; the first call's makes the weights."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        start = parameter if seed else torch.zeros_like(parameter)
        parameter.copy_(start + torch.randn(parameter.shape, generator=generator) * scale)


@torch.no_grad()
def logits(model: PreTrainedModel) -> torch.Tensor:
    """Return what a model says of a few tokens; a vision-language model sees no image."""
    tokens = torch.tensor([[5, 9, 17, 3], [8, 4, 40, 11]])
    given = {"decoder_input_ids": tokens} if model.config.is_encoder_decoder else {}
    output: torch.Tensor = model(input_ids=tokens, **given).logits
    return output


@cache
def loaded(folder: Path) -> PreTrainedModel:
    """Return the model of a folder that nothing writes again, loaded once; only to be read."""
    return load(folder)


def load(folder: Path) -> PreTrainedModel:
    """Load a model folder; nothing may be missing, unexpected, mismatched or initialised."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kind = getattr(transformers, config["architectures"][0])
    model, report = kind.from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
    assert not any(report.values()), report
    loaded: PreTrainedModel = model.eval()
    return loaded
