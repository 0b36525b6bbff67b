"""Which models read trees: those that do give what they give for each request alone."""

from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, LlamaForCausalLM

from stages.evaluate.resident.prefix_trees import rows_of
from stages.evaluate.resident.token_batches import Encoded, batches_of
from stages.evaluate.resident.tree_attention import (
    LONGEST,
    check_rotations,
    read_logits,
    sharing_of,
)

SIZES = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
}
READERS: dict[str, dict[str, Any]] = {
    "llama": {},
    "gemma2": {"sliding_window": 24},  # has no sdpa
    "gemma3_text": {"sliding_window": 24},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128},
    "mistral": {"sliding_window": 24},
    "qwen2": {},
    "qwen3": {},
}
OTHERS: dict[str, dict[str, Any]] = {
    "bloom": {"n_head": 2, "n_layer": 2},  # its positions are in the mask
    "mamba": {},
    "falcon_h1": {"mamba_d_ssm": 32, "mamba_n_heads": 2, "mamba_d_head": 16},
}
HYBRID = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 12}
LONG_ROPE = {
    "rope_type": "longrope",
    "rope_theta": 1e4,
    "short_factor": [1.0] * 8,
    "long_factor": [4.0] * 8,
}
LONG = {"rope_parameters": LONG_ROPE, "original_max_position_embeddings": 20}
# Each kind of attention and of state, with windows that the long requests below outlast.
KINDS: dict[str, dict[str, Any]] = {
    "bert": {"is_decoder": False},  # looks ahead
    "bloom": OTHERS["bloom"],
    "cohere2": HYBRID,
    "gemma2": HYBRID,
    "gemma3_text": HYBRID,
    "gpt2": READERS["gpt2"],
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 12, "num_layers": 2},
    "gpt_oss": HYBRID | {"num_local_experts": 4},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "use_mamba_kernels": False},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "llama": {},
    "llama4_text": {
        "layer_types": ["chunked_attention", "full_attention"],
        "attention_chunk_size": 12,
        "no_rope_layers": [1, 0],
        "num_local_experts": 2,
        "attn_temperature_tuning": True,
    },
    "mamba": {},
    "minimax": {
        "layer_types": ["linear_attention", "full_attention"],
        "num_local_experts": 2,
        "num_experts_per_tok": 1,
    },
    "mistral": {"sliding_window": 12},
    "mpt": {"d_model": 32, "n_heads": 2, "n_layers": 2},
    "modernbert-decoder": HYBRID | {"local_attention": 24},
    "phi3": {"sliding_window": 12} | LONG,
    "phimoe": LONG | {"rope_parameters": LONG_ROPE | {"short_mscale": 1.0, "long_mscale": 1.0}},
    "qwen2": HYBRID | {"use_sliding_window": True},
    "qwen3_next": {"layer_types": ["linear_attention", "full_attention"], "num_experts": 16},
    "rwkv": {"attention_hidden_size": 32},
}


class Custom(LlamaForCausalLM):  # type: ignore[misc]  # transformers has no types
    """A model of a class that is not transformers' own."""


def random_model(kind: str, changes: dict[str, Any], **how: Any) -> nn.Module:
    """Return a random model of weights so large that every token counts."""
    config = AutoConfig.for_model(kind, **SIZES | changes)
    model: nn.Module = AutoModelForCausalLM.from_config(config, **how).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim > 1:
                weights.copy_(torch.randn(weights.shape, generator=generator) * 0.3)
    return model


@pytest.mark.parametrize(
    ("kind", "attention"),
    [
        *((kind, "sdpa") for kind in READERS if kind != "gemma2"),
        ("gemma2", "eager"),
        ("qwen2", "eager"),
    ],
)
def test_a_tree_gives_the_logits_of_its_requests(kind: str, attention: str) -> None:
    """Contexts, choices, padding and all: within 1e-4 of each request in a row of its own."""
    model = random_model(kind, READERS[kind], attn_implementation=attention)
    reach = sharing_of(model).reach
    assert (READERS[kind].get("sliding_window") or LONGEST) == reach
    contexts = [[3 + i, *range(10, 20 - i)] for i in range(3)]
    tails = ([1], [1, 2, 3], [1, 5, 1, 2], [6])
    pairs = [(context, tail) for context in contexts for tail in tails]
    requests = [Encoded(i, context, tail, "item") for i, (context, tail) in enumerate(pairs)]
    (batch,) = batches_of(rows_of(requests, reach=reach), num_rows=9, num_tokens=999)
    assert batch.depths is not None
    scores = dict(batch.score(read_logits(model, batch, torch.device("cpu")), None))
    for request in requests:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([request.inputs])).logits[0]
        chances = logits[len(request.context) - 1 :].log_softmax(dim=-1)
        expected = chances.gather(1, torch.tensor(request.target)[:, None]).sum()
        assert pytest.approx(float(expected), abs=1e-4) == scores[request.request][0]


@pytest.mark.parametrize("kind", OTHERS)
def test_models_that_cannot_are_told_apart(kind: str) -> None:
    """State from token to token, and positions that are not told, keep requests in chains."""
    assert sharing_of(random_model(kind, OTHERS[kind])).reach == 0


def test_code_that_is_not_transformers_own_reads_chains() -> None:
    """What a model of one's own does with a mask is not known."""
    assert sharing_of(Custom(random_model("llama", {}).config)).reach == 0


def test_small_dtypes_read_trees() -> None:
    """Rounding to bfloat16 is not mistaken for a mask that is not heeded."""
    assert sharing_of(random_model("llama", {}, dtype=torch.bfloat16)).reach == LONGEST


def likelihood(model: Any, request: Encoded) -> float:
    """Return the log-likelihood of a request that is read alone, without a mask of ours."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([request.inputs])).logits[0]
    chances = logits[len(request.context) - 1 :].log_softmax(dim=-1)
    return float(chances.gather(1, torch.tensor(request.target)[:, None]).sum())


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_does_not_depend_on_its_neighbours(kind: str) -> None:
    """Long requests and short ones, shared and alone: within 1e-4 of each read by itself."""
    model: Any = random_model(kind, KINDS[kind])
    sharing = sharing_of(model)
    long = [[3 + i, *((7 * j + i) % 90 + 3 for j in range(40))] for i in range(3)]
    shared = [[(11 * j) % 90 + 3 for j in range(9)]] * 12
    short = [[50 + i, 6, 7] for i in range(3)]
    pairs = [(c, [5 + i, 9 + i % 2]) for i, c in enumerate([*long, *shared, *short, long[0]])]
    requests = [Encoded(i, context, tail, "item") for i, (context, tail) in enumerate(pairs)]
    expected = [likelihood(model, request) for request in requests]
    rows = rows_of(requests, reach=sharing.reach, group=sharing.group)
    scores: dict[int, tuple[float, bool]] = {}
    for batch in batches_of(rows, num_rows=32, num_tokens=9999, group=sharing.group):
        if sharing.reach:
            logits = read_logits(model, batch, torch.device("cpu"))
        else:
            with torch.no_grad():
                logits = model(batch.inputs).logits[batch.read]
        scores |= dict(batch.score(logits, None))
    values = [scores[request.request][0] for request in requests]
    assert pytest.approx(expected, abs=1e-4) == values


def test_ordinary_models_still_read_trees() -> None:
    """Full attention is shared to the last token, windows up to their size."""
    reaches = {
        kind: sharing_of(random_model(kind, KINDS[kind])).reach
        for kind in ("llama", "gpt2", "mistral", "llama4_text", "qwen2", "phi3", "gpt_neo")
    }
    assert reaches == {
        "llama": LONGEST,
        "gpt2": LONGEST,
        "mistral": 12,
        "llama4_text": 12,
        "qwen2": 12,
        "phi3": 12,
        "gpt_neo": 0,
    }


def test_what_looks_ahead_or_is_rotated_by_the_longest_is_grouped() -> None:
    """Only requests of one length are padded by nothing; LongRoPE changes at one length."""
    ahead = sharing_of(random_model("bert", KINDS["bert"]))
    assert ahead.heeds_padding
    assert ahead.group(7) != ahead.group(8)
    long = sharing_of(random_model("phi3", KINDS["phi3"]))
    assert ((12, 20), (20,)) == (long.borders, long.rotations)
    assert len({long.group(n) for n in (1, 12, 13, 20, 21, 99)}) == 3


def test_positions_that_grow_with_the_longest_text_are_refused() -> None:
    """Dynamic RoPE keeps what it has seen, so a longer context than the model's is refused."""
    dynamic = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}
    model = random_model("llama", {"rope_parameters": dynamic})
    assert check_rotations(model, 128) is None
    assert "Set max_length to 128 or less" in str(check_rotations(model, 129))
    assert check_rotations(random_model("llama", {}), 9999) is None
