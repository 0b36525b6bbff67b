"""Keys of config.json: which may differ between models that are merged, and which may not."""

from typing import Any

import pytest

from stages.checkpoint.config_differences import differences

LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192}
LLAMA3 |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
LONG = {"type": "longrope", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48}
TEXT = {"model_type": "gemma3_text", "hidden_size": 64}

DECIDING: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("llama", {}, {"num_attention_heads": 16}, "num_attention_heads is 16, the base's 32"),
    (
        "llama",
        {},
        {"rope_scaling": LLAMA3},
        "rope_parameters.rope_type is 'llama3', the base's 'd",
    ),
    (
        "llama",
        {},
        {"rope_theta": 5e5},
        "rope_parameters.rope_theta is 500000.0, the base's 10000.",
    ),
    ("llama", {"rms_norm_eps": 1e-5}, {}, "rms_norm_eps is 1e-06, the base's 1e-05"),
    ("llama", {}, {"hidden_act": "relu"}, "hidden_act is 'relu', the base's 'silu'"),
    ("llama", {}, {"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_type is 'linear'"),
    ("gpt2", {"n_head": 4}, {"n_head": 2}, "n_head is 2, the base's 4"),
    ("gpt2", {"n_head": 4}, {"num_attention_heads": 2}, "n_head is 2, the base's 4"),
    ("gpt2", {}, {"activation_function": "relu"}, "activation_function is 'relu', the base's 'g"),
    ("gpt2", {}, {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
    ("gpt2", {}, {"scale_attn_weights": False}, "scale_attn_weights is False, the base's True"),
    ("gpt2", {}, {"layer_norm_epsilon": 1e-6}, "layer_norm_epsilon is 1e-06"),
    ("gemma2", {}, {"attn_logit_softcapping": None}, "attn_logit_softcapping is None, the base's"),
    ("gemma2", {}, {"final_logit_softcapping": 20.0}, "final_logit_softcapping is 20.0"),
    ("gemma2", {}, {"query_pre_attn_scalar": 224}, "query_pre_attn_scalar is 224, the base's 256"),
    ("gemma2", {}, {"hidden_activation": "gelu"}, "hidden_activation is 'gelu'"),
    ("gemma2", {}, {"sliding_window": 512}, "sliding_window is 512, the base's 4096"),
    ("mistral", {}, {"sliding_window": None}, "sliding_window is None, the base's 4096"),
    ("mistral", {}, {"num_key_value_heads": 4}, "num_key_value_heads is 4, the base's 8"),
    ("mixtral", {}, {"num_experts_per_tok": 1}, "num_experts_per_tok is 1, the base's 2"),
    ("qwen2", {}, {"use_sliding_window": True, "max_window_layers": 8}, "layer_types is ["),
    ("qwen3", {}, {"attention_bias": True}, "attention_bias is True, the base's False"),
    ("qwen3_moe", {}, {"norm_topk_prob": True}, "norm_topk_prob is True, the base's False"),
    ("phi", {}, {"partial_rotary_factor": 0.4}, "partial_rotary_factor is 0.4, the base's 0.5"),
    ("phi", {}, {"qk_layernorm": True}, "qk_layernorm is True, the base's False"),
    (
        "phi3",
        {"rope_scaling": LONG},
        {"rope_scaling": LONG | {"long_factor": [3.0] * 48}},
        "long_",
    ),
    ("gpt_neox", {}, {"use_parallel_residual": False}, "use_parallel_residual is False"),
    ("gpt_neox", {}, {"rotary_pct": 1.0}, "partial_rotary_factor"),
    ("opt", {}, {"do_layer_norm_before": False}, "do_layer_norm_before is False"),
    ("cohere", {}, {"logit_scale": 0.25}, "logit_scale is 0.25"),
    ("granite", {}, {"residual_multiplier": 0.22}, "residual_multiplier is 0.22"),
    ("bloom", {}, {"apply_residual_connection_post_layernorm": True}, "apply_residual_connection"),
    (
        "gemma3",
        {"text_config": TEXT},
        {"text_config": TEXT | {"sliding_window": 512}},
        "text_conf",
    ),
    (
        "gemma3",
        {},
        {"vision_config": {"num_attention_heads": 6}},
        "vision_config.num_attention_he",
    ),
    ("own_type", {"n_head": 4}, {"n_head": 2}, "n_head is 2, the base's 4"),
    ("own_type", {"rope_theta": 1e4}, {"rope_theta": 1e6}, "rope_parameters.rope_theta is 10000"),
    ("own_type", {"rope_theta": 1e4}, {"rope_parameters": LLAMA3}, "rope_type is 'llama3'"),
]

HARMLESS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("llama", {"num_key_value_heads": 32}, {}),
    ("llama", {"rope_theta": 10000.0, "rope_scaling": None}, {"rope_parameters": None}),
    (
        "llama",
        {"rope_theta": 5e5},
        {"rope_parameters": {"rope_theta": 500000, "rope_type": "default"}},
    ),
    ("llama", {"rope_scaling": {"type": "linear", "factor": 1.0}}, {}),
    ("llama", {"rope_scaling": LLAMA3 | {"type": "llama3"}}, {"rope_scaling": LLAMA3}),
    ("llama", {"max_position_embeddings": 4096}, {"max_position_embeddings": 131072}),
    ("llama", {"torch_dtype": "float16", "use_cache": False}, {"dtype": "bfloat16"}),
    ("llama", {"_name_or_path": "a", "transformers_version": "4.31.0"}, {"pretraining_tp": 2}),
    ("llama", {"eos_token_id": [1, 2], "pad_token_id": 0}, {"bos_token_id": 7, "vocab_size": 99}),
    ("llama", {"attention_dropout": 0.1, "initializer_range": 0.01}, {"attention_bias": False}),
    ("gpt2", {"n_inner": 3072, "resid_pdrop": 0.0}, {"n_inner": None, "embd_pdrop": 0.2}),
    ("gpt2", {"activation_function": "gelu_new"}, {"activation_function": "gelu_pytorch_tanh"}),
    ("gpt2", {"n_ctx": 1024, "task_specific_params": {"a": 1}}, {"summary_type": "mean"}),
    ("gpt2", {"num_attention_heads": 4}, {"n_head": 4}),
    ("gemma", {"hidden_act": "gelu"}, {"hidden_act": "gelu_pytorch_tanh"}),
    ("qwen2", {"sliding_window": 32768, "max_window_layers": 21}, {"use_sliding_window": False}),
    ("mistral", {"auto_map": {"AutoModel": "m.M"}}, {"head_dim": None}),
    ("mixtral", {"router_aux_loss_coef": 0.02, "router_jitter_noise": 0.1}, {}),
    ("own_type", {"torch_dtype": "float16"}, {"dtype": "bfloat16"}),
]


@pytest.mark.parametrize(("kind", "base", "other", "sentence"), DECIDING)
def test_a_key_that_decides_the_function_is_told(
    kind: str, base: dict[str, Any], other: dict[str, Any], sentence: str
) -> None:
    """Under transformers' name for it, with both values, defaults filled in, both ways round."""
    base, other = {"model_type": kind, **base}, {"model_type": kind, **other}

    differing = differences(base, other)

    assert any(sentence in fact for fact in differing.deciding), differing
    assert differences(other, base).deciding
    assert differences(base, base).deciding == differences(other, other).deciding == ()


@pytest.mark.parametrize("odd", [["linear"], {"a": 1}, 3, True, [[]], None])
@pytest.mark.parametrize("key", ["rope_type", "type", "factor", "rope_theta"])
def test_rope_values_of_any_kind_are_compared(key: str, odd: object) -> None:
    """What is damaged differs from what is not, and equals itself; nothing ends in a traceback."""
    base: dict[str, Any] = {"model_type": "own_type", "rope_scaling": LLAMA3}
    other = {"model_type": "own_type", "rope_scaling": LLAMA3 | {"rope_type": None, key: odd}}

    assert differences(base, other).deciding
    assert differences(other, other).deciding == ()


@pytest.mark.parametrize(("kind", "base", "other"), HARMLESS)
def test_a_key_that_changes_nothing_may_differ(
    kind: str, base: dict[str, Any], other: dict[str, Any]
) -> None:
    """Neither an error nor a note, both ways round."""
    base, other = {"model_type": kind, **base}, {"model_type": kind, **other}

    differing = differences(base, other), differences(other, base)

    assert all(not (f.deciding or f.unknown) for f in differing), differing


def test_keys_that_transformers_does_not_read_are_told_apart() -> None:
    """A key of nobody is told as unknown, with both values."""
    differing = differences({"model_type": "llama"}, {"model_type": "llama", "my_gate": 3})

    assert ((), ("my_gate is 3, the base's None",)) == (differing.deciding, differing.unknown)


def test_another_type_of_model_is_one_fact() -> None:
    """Of models of two types their types are told, and no key more."""
    differing = differences(
        {"model_type": "llama"}, {"model_type": "mistral", "sliding_window": 8}
    )

    assert ("model_type is 'mistral', the base's 'llama'",) == differing.deciding


def test_a_text_model_is_compared_with_the_text_section() -> None:
    """A parent without vision equals the language model of the base, or differs by its keys."""
    base = {"model_type": "gemma3", "text_config": TEXT, "vision_config": {"hidden_size": 32}}

    assert () == differences(base, TEXT).deciding == differences(base, TEXT).unknown
    (fact,) = differences(base, TEXT | {"query_pre_attn_scalar": 8}).deciding
    assert "query_pre_attn_scalar is 8, the base's 256" == fact


def test_depths_differ_where_layers_are_stacked() -> None:
    """Without ``layers`` neither their number nor their lists are compared; the rest is."""
    base = {"model_type": "gemma2", "num_hidden_layers": 4}
    other = {"model_type": "gemma2", "num_hidden_layers": 6, "query_pre_attn_scalar": 8}

    assert 3 == len(differences(base, other).deciding)
    (fact,) = differences(base, other, layers=False, owner="first has").deciding
    assert "query_pre_attn_scalar is 8, first has 256" == fact


def test_configs_that_transformers_refuses_are_compared_as_written() -> None:
    """A value of a wrong type does not end the comparison."""
    base = {"model_type": "llama", "num_attention_heads": 4, "vocab_size": "many"}

    (fact,) = differences(base, base | {"num_attention_heads": 2}).deciding
    assert "num_attention_heads is 2, the base's 4" == fact


def test_long_values_are_cut_and_their_first_difference_is_named() -> None:
    """A list with an entry for each of many layers does not fill the screen."""
    kinds = ["full_attention"] * 90
    base = {"model_type": "llama", "own_list": kinds}

    (fact,) = differences(base, base | {"own_list": [*kinds[:70], "none", *kinds[71:]]}).unknown
    assert len(fact) < 300
    assert "entry 70 is the first that differs" in fact
