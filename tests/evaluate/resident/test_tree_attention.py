"""Which models read trees: those that do give what they give for each request alone."""

from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, LlamaForCausalLM

from stages.evaluate.resident.prefix_trees import rows_of
from stages.evaluate.resident.token_batches import Encoded, batches_of
from stages.evaluate.resident.tree_attention import LONGEST, reach_of, read_logits

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


class Custom(LlamaForCausalLM):  # type: ignore[misc]  # transformers has no types
    """A model of a class that is not transformers' own."""


def made(kind: str, changes: dict[str, Any], **how: Any) -> nn.Module:
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
    model = made(kind, READERS[kind], attn_implementation=attention)
    reach = reach_of(model)
    assert (READERS[kind].get("sliding_window") or LONGEST) == reach
    contexts = [[3 + i, *range(10, 20 - i)] for i in range(3)]
    tails = ([1], [1, 2, 3], [1, 5, 1, 2], [6])
    pairs = [(context, tail) for context in contexts for tail in tails]
    requests = [Encoded(i, context, tail, "item") for i, (context, tail) in enumerate(pairs)]
    (batch,) = batches_of(rows_of(requests, reach=reach), num_rows=9, num_tokens=999)
    assert batch.depths is not None
    found = dict(batch.score(read_logits(model, batch, torch.device("cpu")), None))
    for request in requests:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([request.inputs])).logits[0]
        chances = logits[len(request.context) - 1 :].log_softmax(dim=-1)
        expected = chances.gather(1, torch.tensor(request.target)[:, None]).sum()
        assert pytest.approx(float(expected), abs=1e-4) == found[request.request][0]


@pytest.mark.parametrize("kind", OTHERS)
def test_models_that_cannot_are_told_apart(kind: str) -> None:
    """State from token to token, and positions that are not told, keep requests in chains."""
    assert reach_of(made(kind, OTHERS[kind])) == 0


def test_code_that_is_not_transformers_own_reads_chains() -> None:
    """What a model of one's own does with a mask is not known."""
    assert reach_of(Custom(made("llama", {}).config)) == 0


def test_small_dtypes_read_trees() -> None:
    """Rounding to bfloat16 is not mistaken for a mask that is not heeded."""
    assert reach_of(made("llama", {}, dtype=torch.bfloat16)) == LONGEST
