"""Weights are quantised where their tensors are, whatever config.json says."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stages.checkpoint.model_config.quantised_weights import why_quantised, without_quantisation
from tests.merge.conftest import save_tensors

BYTES, WORDS = torch.ones(4, 4, dtype=torch.uint8), torch.ones(4, 4, dtype=torch.int32)
FLOAT8 = torch.ones(4, 4).to(torch.float8_e4m3fn)


@pytest.mark.parametrize(
    "tensors",
    [
        {"l.weight": BYTES, "l.weight.absmax": torch.ones(4)},
        {"l.weight": torch.ones(4, 4, dtype=torch.int8), "l.SCB": torch.ones(4)},
        {"l.qweight": WORDS, "l.scales": torch.ones(4), "l.g_idx": torch.ones(4).int()},
        {"l.weight_packed": WORDS, "l.weight_scale": torch.ones(4, 1)},
        {
            "l.weight": torch.ones(4, 4).to(torch.float8_e4m3fn),
            "l.weight_scale_inv": torch.ones(1),
        },
        {"l.gate_up_proj_blocks": torch.ones(2, 4, 3, 2, dtype=torch.uint8)},
    ],
    ids=["bitsandbytes 4", "bitsandbytes 8", "gptq", "compressed", "float8", "mxfp4"],
)
def test_every_kind_is_seen(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    """Numbers too narrow for a weight stand for one; the config's word for it is repeated."""
    config = json.dumps({"quantization_config": {"quant_method": "some"}})
    reason = why_quantised(save_tensors(tmp_path / "m", tensors, config))
    assert reason is not None
    assert reason.startswith(f"its weights are quantised by some: {next(iter(tensors))} is ")


def test_full_weights_and_buffers_are_not(tmp_path: Path) -> None:
    """Ids, masks and single numbers are not weights; the config alone decides nothing."""
    tensors = {
        "l.weight": torch.ones(4, 4, dtype=torch.bfloat16),
        "embeddings.position_ids": torch.arange(4)[None],
        "h.0.attn.bias": torch.ones(1, 1, 4, 4, dtype=torch.uint8),
        "num_batches": torch.ones(3, dtype=torch.int32),
    }
    config = json.dumps({"quantization_config": {"quant_method": "gptq"}})
    assert why_quantised(save_tensors(tmp_path / "m", tensors, config)) is None


def test_no_section_says_that_weights_are_quantised() -> None:
    """The key is left out of a config and of the sections in it; the rest stays."""
    said: dict[str, Any] = {"quantization_config": {"bits": 4}, "hidden_size": 4}
    assert without_quantisation({**said, "text_config": said}) == {
        "hidden_size": 4,
        "text_config": {"hidden_size": 4},
    }
