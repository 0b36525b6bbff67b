"""What a model's small files may say under the keys on which a merge rests."""

import json
from typing import Any

import pytest
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from stages.checkpoint.model_config.config_reading import silenced
from stages.download.checks.legal_values import file_faults
from tests.slow_cases import with_slow

KINDS = (
    *("llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe", "gemma2", "gemma3", "phi3"),
    *("gpt2", "gpt_neox", "bloom", "falcon", "opt", "mamba", "dbrx", "deepseek_v3", "olmo2"),
    *("t5", "bert", "falcon_h1", "recurrent_gemma", "gpt_neo", "lxmert", "llava"),
)
ILLEGAL: tuple[tuple[str, str, Any], ...] = (
    ("config.json", "hidden_act", {"": ""}),
    ("config.json", "activation_function", ""),
    ("config.json", "rope_parameters", 2**70),
    ("config.json", "rope_parameters", {"rope_theta": 0}),
    ("config.json", "rope_parameters", {"full_attention": {"rope_theta": "x"}}),
    ("config.json", "rope_scaling", [1]),
    ("config.json", "rope_scaling", {"type": 3, "factor": 2.0}),
    ("config.json", "rope_scaling", {"rope_type": "longrope", "short_factor": 1.0}),
    ("config.json", "rope_theta", "10000"),
    ("config.json", "rms_norm_eps", -1e-6),
    ("config.json", "layer_norm_epsilon", float("inf")),
    ("config.json", "hidden_size", 0),
    ("config.json", "hidden_size", True),
    ("config.json", "vocab_size", "32"),
    ("config.json", "num_hidden_layers", 2.5),
    ("config.json", "num_attention_heads", {}),
    ("config.json", "num_key_value_heads", [2, "x"]),
    ("config.json", "max_position_embeddings", []),
    ("config.json", "sliding_window", "wide"),
    ("config.json", "layer_types", "full_attention"),
    ("config.json", "layer_types", [0, 1]),
    ("config.json", "tie_word_embeddings", "false"),
    ("config.json", "is_encoder_decoder", 0),
    ("config.json", "quantization_config", "gptq"),
    ("config.json", "text_config", []),
    ("config.json", "text_config", {"hidden_size": 1.0}),
    ("config.json", "eos_token_id", 1.5),
    ("config.json", "bos_token_id", [None]),
    ("config.json", "architectures", "LlamaForCausalLM"),
    ("generation_config.json", "temperature", "hot"),
    ("generation_config.json", "max_length", []),
    ("tokenizer_config.json", "model_max_length", []),
    ("tokenizer_config.json", "max_length", "512"),
    ("tokenizer_config.json", "padding_side", "up"),
    ("tokenizer_config.json", "eos_token", 3),
    ("tokenizer_config.json", "added_tokens_decoder", {"1": {"content": 3}}),
    ("tokenizer_config.json", "added_tokens_decoder", {"9" * 11: {"content": "a"}}),
    ("tokenizer_config.json", "chat_template", [{"name": "../x", "template": "x"}]),
    ("tokenizer_config.json", "chat_template", [{"name": "a", "template": "x"}] * 2),
    ("tokenizer_config.json", "chat_template", {"a": 3}),
    ("special_tokens_map.json", "eos_token", []),
    ("special_tokens_map.json", "pad_token", {"content": None}),
)
LEGAL: tuple[tuple[str, str, Any], ...] = (
    ("config.json", "rms_norm_eps", 0),
    ("config.json", "rope_scaling", None),
    ("config.json", "rope_scaling", {}),
    ("config.json", "rope_scaling", {"type": "yarn", "factor": 4}),
    ("config.json", "rope_scaling", {"mrope_section": [16, 24, 24], "type": "mrope"}),
    ("config.json", "rope_parameters", {"sliding_attention": {"rope_type": "default"}}),
    ("config.json", "hidden_activation", None),
    ("config.json", "ffn_act_fn", {"name": "silu"}),
    ("config.json", "max_position_embeddings", 1200.0),
    ("config.json", "num_key_value_heads", [2, 4, 4]),
    ("config.json", "num_local_experts", 0),
    ("config.json", "sliding_window", -1),
    ("config.json", "time_step_limit", [0.0, float("inf")]),
    ("config.json", "eos_token_id", [1, 2]),
    ("config.json", "pad_token_id", -1),
    ("config.json", "pad_token_id", None),
    ("config.json", "vision_config", {"model_type": ""}),
    ("config.json", "a_key_of_its_own", {"": [None, 2**70]}),
    ("generation_config.json", "top_k", -1),
    ("tokenizer_config.json", "model_max_length", 10**30),
    ("tokenizer_config.json", "model_max_length", 1e30),
    ("tokenizer_config.json", "added_tokens_decoder", {"1": {"content": "</s>"}}),
    ("tokenizer_config.json", "chat_template", {"default": "x", "tool_use": "y"}),
    ("tokenizer_config.json", "chat_template", "{{ messages }}"),
    ("tokenizer_config.json", "chat_template", [{"name": "default", "template": "x"}]),
    ("special_tokens_map.json", "additional_special_tokens", ["<a>"]),
    ("special_tokens_map.json", "eos_token", {"content": "</s>", "lstrip": False}),
    ("tokenizer_config.json", "eos_token", {"content": "</s>", "lstrip": False}),
)


@pytest.mark.parametrize(("name", "key", "value"), ILLEGAL)
def test_a_value_that_the_key_cannot_have_is_a_fault(name: str, key: str, value: Any) -> None:
    """The sentence names the key, shows the value and says what is legal."""
    (fault,) = file_faults(name, {"model_type": "llama", key: value})
    assert fault.startswith(key)
    assert " is " in fault
    assert "Legal is " in fault


@pytest.mark.parametrize(("name", "key", "value"), LEGAL)
def test_a_value_that_some_model_has_is_legal(name: str, key: str, value: Any) -> None:
    """Odd values of models that exist pass, and so does whatever a model's own keys hold."""
    assert not [*file_faults(name, {"model_type": "llama", key: value})]


@pytest.mark.parametrize("kind", with_slow([*CONFIG_MAPPING], {*CONFIG_MAPPING} - {*KINDS}))
def test_the_config_of_every_type_is_legal(kind: str) -> None:
    """No rule refuses what transformers writes for a type of model by its defaults."""
    with silenced():
        try:
            config = CONFIG_MAPPING[kind]()
        except (ValueError, TypeError, AttributeError):  # a few have no default
            return
        written = json.loads(config.to_json_string(use_diff=False))
    assert not [*file_faults("config.json", written)]


def test_all_faults_of_a_file_are_told() -> None:
    """One reading shows each of them."""
    config = {"hidden_act": 3, "rope_scaling": [1], "text_config": {"rms_norm_eps": "x"}}
    faults = [*file_faults("config.json", config)]
    assert [fault.split(" is ")[0] for fault in faults] == [
        "hidden_act",
        "rope_scaling",
        "text_config.rms_norm_eps",
    ]
