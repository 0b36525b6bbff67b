"""Gains of a path: the checkpoint computes what multiplied branches compute, or is refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.outputs.model_folder import write_model
from stages.merge.plan.planner import plan
from stages.recipe.recipe import ModuleLayers, Recipe, Rule, Slice, Span
from tests.merge.architecture.families import SMALL, load, scatter
from tests.merge.recipes import model_of

t = transformers
_NO_KV = {k: v for k, v in SMALL.items() if k != "num_key_value_heads"}
_THREE = {**SMALL, "num_hidden_layers": 3}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8}
_BRANCHES = ("self_attn", "mlp")
_POST_NORMS = ("post_attention_layernorm", "post_feedforward_layernorm")
_GPT2 = {"n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": 32, "vocab_size": 64}
# The config of each architecture, its class, and the modules whose outputs enter the stream.
FAMILIES: dict[str, tuple[PretrainedConfig, str, tuple[str, str]]] = {
    "llama_tied_with_biases": (
        t.LlamaConfig(**_THREE, tie_word_embeddings=True, attention_bias=True, mlp_bias=True),
        "LlamaForCausalLM",
        _BRANCHES,
    ),
    "mistral": (t.MistralConfig(**_THREE, sliding_window=3), "MistralForCausalLM", _BRANCHES),
    "qwen2": (t.Qwen2Config(**_THREE), "Qwen2ForCausalLM", _BRANCHES),
    "qwen3": (t.Qwen3Config(**_THREE, head_dim=8), "Qwen3ForCausalLM", _BRANCHES),
    "phi3": (t.Phi3Config(**_THREE), "Phi3ForCausalLM", _BRANCHES),
    "granite": (
        t.GraniteConfig(**_THREE, residual_multiplier=0.3, embedding_multiplier=2.0),
        "GraniteForCausalLM",
        _BRANCHES,
    ),
    "gemma": (t.GemmaConfig(**_THREE, head_dim=8), "GemmaForCausalLM", _BRANCHES),
    "gemma2": (t.Gemma2Config(**_THREE, head_dim=8), "Gemma2ForCausalLM", _POST_NORMS),
    "gemma3": (t.Gemma3TextConfig(**_THREE, head_dim=8), "Gemma3ForCausalLM", _POST_NORMS),
    "olmo2": (t.Olmo2Config(**_THREE), "Olmo2ForCausalLM", _POST_NORMS),
    "glm4": (
        t.Glm4Config(**_THREE, head_dim=8),
        "Glm4ForCausalLM",
        ("post_self_attn_layernorm", "post_mlp_layernorm"),
    ),
    "gpt2": (
        t.GPT2Config(**_GPT2, bos_token_id=1, eos_token_id=2),
        "GPT2LMHeadModel",
        ("attn", "mlp"),
    ),
    "gpt_neox": (
        t.GPTNeoXConfig(**{**_NO_KV, "num_hidden_layers": 3}),
        "GPTNeoXForCausalLM",
        ("attention", "mlp"),
    ),
    "phi": (t.PhiConfig(**_THREE), "PhiForCausalLM", _BRANCHES),
    "cohere": (t.CohereConfig(**_THREE), "CohereForCausalLM", _BRANCHES),
    "mixtral": (t.MixtralConfig(**_THREE, num_local_experts=4), "MixtralForCausalLM", _BRANCHES),
    "qwen3_moe": (
        t.Qwen3MoeConfig(**_THREE, **_EXPERTS, head_dim=8),
        "Qwen3MoeForCausalLM",
        _BRANCHES,
    ),
    "qwen2_moe": (
        t.Qwen2MoeConfig(**_THREE, **_EXPERTS, shared_expert_intermediate_size=12),
        "Qwen2MoeForCausalLM",
        _BRANCHES,
    ),
}
# The ancestor and the layer of each hop, and the gains of its attention and MLP.
PATH = [
    (0, 0, 1.0, 1.0),
    (1, 0, 0.5, 1.0),
    (1, 2, 1.7, 0.4),
    (0, 1, 0.5, 0.5),
    (0, 1, 0.5, 0.5),
    (1, 1, -0.8, 2.0),
    (0, 2, 1.0, 1.3),
]
TOKENS = torch.tensor([[5, 9, 17, 3, 11, 8], [8, 4, 40, 11, 2, 30]])


def path_recipe(
    models: Sequence[Checkpoint], hops: Sequence[tuple[int, int, float, float]], **settings: Any
) -> Recipe:
    """Return the recipe of a path through models."""
    slices = tuple(
        Slice((Span(ancestor, layer, layer + 1),), None, attention, mlp)
        for ancestor, layer, attention, mlp in hops
    )
    ancestors = tuple(model_of(model) for model in models)
    layers = (ModuleLayers("default", slices),)
    return Recipe("passthrough", ancestors, (Rule({}),), layers=layers, **settings)


def two_models(config: PretrainedConfig, kind: str, folder: Path) -> list[Checkpoint]:
    """Return two random models of a config, as transformers saves them."""
    for seed in (0, 1):
        model = getattr(transformers, kind)(config)
        scatter(model, 0, 0.3)
        scatter(model, seed, 0.1)
        model.save_pretrained(folder / str(seed))
    return [Checkpoint(folder / str(seed)) for seed in (0, 1)]


def multiplied(model: PreTrainedModel, modules: tuple[str, str]) -> PreTrainedModel:
    """Return ``model`` whose branches' outputs are multiplied by the gains of PATH as it runs."""
    layers = next(
        m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == len(PATH)
    )
    for layer, (_, _, *gains) in zip(layers, PATH, strict=True):
        for name, gain in zip(modules, gains, strict=True):

            def times(_: nn.Module, __: Any, output: Any, gain: float = gain) -> Any:
                return (
                    output * gain
                    if isinstance(output, Tensor)
                    else (output[0] * gain, *output[1:])
                )

            layer.get_submodule(name).register_forward_hook(times)
    return model


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_child_with_gains_computes_what_multiplied_branches_compute(
    family: str, tmp_path: Path
) -> None:
    """Logits, and texts that are generated with a cache, are those of the literal forward pass."""
    config, kind, modules = FAMILIES[family]
    models = two_models(config, kind, tmp_path)
    plain = [(ancestor, layer, 1.0, 1.0) for ancestor, layer, _, _ in PATH]
    write_model(plan(path_recipe(models, plain), models), tmp_path / "plain", shard_bytes=1 << 20)
    write_model(plan(path_recipe(models, PATH), models), tmp_path / "folded", shard_bytes=1 << 20)
    literal, folded = multiplied(load(tmp_path / "plain"), modules), load(tmp_path / "folded")
    expected = literal(input_ids=TOKENS).logits
    actual = folded(input_ids=TOKENS).logits
    assert (actual - expected).abs().max() <= 1e-4 * expected.abs().max()
    asked: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None}
    assert torch.equal(folded.generate(TOKENS, **asked), literal.generate(TOKENS, **asked))
    unmultiplied = load(tmp_path / "plain")(input_ids=TOKENS).logits
    assert (unmultiplied - expected).abs().max() > 1e-2 * expected.abs().max()
