"""Configs as large as those of published models: a small copy runs, and carries gains or not."""

from typing import Any

import pytest
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from stages.errors import RecipeError
from stages.merge.paths.fold_check import has_offset_norms
from tests.slow_cases import with_slow

_HEADS: dict[str, Any] = {
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "num_hidden_layers": 32,
}
_HUNYUAN_ROPE = {
    "rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "alpha": 1e3, "factor": 1.0}
}
_ALONE: dict[str, Any] = {"hidden_size_per_layer_input": 0, "num_kv_shared_layers": 0}
# What the model type's own defaults do not say.
LARGE: dict[str, tuple[str, dict[str, Any]]] = {
    "gptj": ("gptj", {}),
    "codegen": ("codegen", {}),
    "gemma4": ("gemma4_text", _ALONE),
    "gemma4_experts": (
        "gemma4_text",
        {
            **_ALONE,
            "enable_moe_block": True,
            "num_experts": 128,
            "top_k_experts": 8,
            "moe_intermediate_size": 704,
        },
    ),
    "hunyuan": ("hunyuan_v1_dense", {**_HEADS, **_HUNYUAN_ROPE}),
    "hunyuan_experts": (
        "hunyuan_v1_moe",
        {**_HEADS, **_HUNYUAN_ROPE, "num_experts": 64, "moe_topk": 8},
    ),
    "nemotron": ("nemotron", _HEADS),
    "dots1": (
        "dots1",
        {
            **_HEADS,
            "n_routed_experts": 128,
            "n_shared_experts": 2,
            "num_experts_per_tok": 6,
            "first_k_dense_replace": 1,
            "n_group": 1,
            "topk_group": 1,
        },
    ),
    "recurrent_gemma": ("recurrent_gemma", {"num_hidden_layers": 6}),
    "bamba": ("bamba", {}),
    "granite_hybrid": ("granitemoehybrid", {}),
    "nemotron_hybrid": ("nemotron_h", {}),
    "ernie_experts": ("ernie4_5_moe", {}),
    "axk1": ("axk1", {}),
}


@pytest.mark.parametrize("name", with_slow(LARGE, LARGE.keys() - {"gptj", "gemma4"}))
def test_gains_fold_into_a_large_model(name: str) -> None:
    """The sizes become small ones that fit each other, and what a layer adds follows its gains."""
    model_type, keys = LARGE[name]
    assert has_offset_norms(CONFIG_MAPPING[model_type](**keys).to_dict()) is False


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"num_kv_shared_layers": 10}, r"last 10 layers use keys and values of others"),
        ({"num_kv_shared_layers": 0}, "a gain cannot be folded into the tensors of layer 0"),
    ],
)
def test_gemma4_with_inputs_for_each_layer_or_shared_keys_is_refused(
    keys: dict[str, int], said: str
) -> None:
    """The stream gets more than what branches add, or a layer needs another one's keys."""
    with pytest.raises(RecipeError, match=said):
        has_offset_norms(CONFIG_MAPPING["gemma4_text"](**keys).to_dict())
