"""The rules of config.json, its RoPE parameters, and generation_config.json."""

from typing import Any

from stages.download.checks.value_rules import (
    is_above_zero,
    is_from_zero,
    is_id,
    is_name,
    is_number,
    is_switch,
    is_table,
    is_text,
    is_whole,
    list_of,
    one_or_list,
    rule,
)


def _is_depth(value: Any) -> bool:
    """Return whether a value is a number of layers, or several as LXMERT's."""
    parts = value.values() if is_table(value) else [value]
    return all(is_whole(number, 1) for number in parts)


# In the sections of a config, at any depth: DBRX says an activation as {"name": "silu"}; layers of
# one model may have several widths, numbers of heads or of experts; a window of -1 is none.
CONFIG = (
    rule(r"model_type (torch_)?dtype", is_text, "a name"),  # of a section it may be empty
    rule(r"architectures", list_of(is_name), "a list of names"),
    rule(
        r"(.*_)?hidden_act(ivation)? activation_function",
        is_name,
        'the name of an activation, such as "silu"',
    ),
    rule(
        r"(.*_)?act_fn",
        lambda value: is_name(value) or is_table(value),
        'the name of an activation, such as "silu"',
    ),
    rule(r"rope_parameters rope_scaling", is_table, "an object of RoPE's parameters"),
    rule(
        r"rope_theta rope_local_base_freq rotary_emb(edding)?_base",
        is_above_zero,
        "a number above 0",
    ),
    rule(
        r"partial_rotary_factor rotary_pct",
        is_from_zero,
        "a number from 0",
    ),
    rule(
        r"(.*_)?(eps|epsilon)",
        is_from_zero,
        "a number from 0, such as 1e-05",
    ),
    rule(
        r"hidden_size d_model n_embd vocab_size",
        lambda value: is_whole(value, 1),
        "a whole number from 1",
    ),
    rule(r"n_layers? num_hidden_layers", _is_depth, "a whole number from 1"),
    rule(
        r"max_position_embeddings n_positions n_ctx max_seq_len",
        is_from_zero,
        "a number of positions from 0",
    ),
    rule(
        r"(qk_nope_|qk_rope_|qk_|v_)?head_dim max_window_layers num_kv_shared_layers",
        is_whole,
        "a whole number from 0",
    ),
    rule(
        r"(moe_)?intermediate_size n_inner ffn_dim d_ff d_kv"
        r" n_heads? num_(attention_|key_value_|kv_)?heads"
        r" num_(local_)?experts n_(routed|shared)_experts num_experts_per_tok(en)?",
        one_or_list(is_whole),
        "a whole number from 0, or a list of them",
    ),
    rule(
        r"sliding_window(_size)? attention_chunk_size",
        lambda value: is_whole(value, -1),
        "a whole number of positions",
    ),
    rule(
        r"layer_types layers_block_type block_types mlp_layer_types",
        list_of(is_name),
        "a list of the layers' kinds",
    ),
    rule(
        r"(embedding|residual|attention)_multiplier logits?_scal(e|ing) routed_scaling_factor"
        r" (.*_)?logit_softcapping query_pre_attn_scalar",
        is_number,
        "a finite number",
    ),
    rule(
        r"tie_word_embeddings tie_embedding is_encoder_decoder use_sliding_window"
        r" attention_bias mlp_bias",
        is_switch,
        "true or false",
    ),
    rule(r"text_config quantization_config", is_table, "an object"),
)

IDS = rule(r".*_token_id", one_or_list(is_id), "the id of a token, or a list of ids")
GENERATION = (
    rule(r"do_sample use_cache", is_switch, "true or false"),
    rule(
        r"temperature top_p min_p typical_p repetition_penalty",
        is_from_zero,
        "a number from 0",
    ),
    rule(r"top_k", lambda value: is_whole(value, -1), "a whole number"),
    rule(
        r"(max|min)(_new)?_length (max|min)_new_tokens num_beams num_return_sequences",
        is_whole,
        "a whole number from 0",
    ),
)


ROPE = (
    rule(r"(rope_)?type", is_name, "the name of a kind of RoPE"),
    rule(
        r"rope_theta (low_freq_|high_freq_)?factor beta_fast beta_slow attention_factor",
        is_above_zero,
        "a number above 0",
    ),
    rule(
        r"mscale mscale_all_dim partial_rotary_factor",
        is_from_zero,
        "a number from 0",
    ),
    rule(
        r"original_max_position_embeddings",
        is_above_zero,
        "a number of positions from 1",
    ),
    rule(
        r"(short|long)_factor",
        list_of(is_above_zero),
        "a list of numbers above 0",
    ),
    rule(r"mrope_section", list_of(is_whole), "a list of whole numbers from 0"),
)
