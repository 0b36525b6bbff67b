"""The forward pass that a folded child is compared with."""

from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

TOKENS = torch.tensor([[5, 9, 17, 3, 11, 8], [8, 4, 40, 11, 2, 30]])


def agreed_logits(
    folded: PreTrainedModel, literal: PreTrainedModel, plain: PreTrainedModel
) -> Tensor:
    """Return the logits of ``literal``: ``folded`` has them, and its texts; ``plain`` has not."""
    expected: Tensor = literal(input_ids=TOKENS).logits
    actual = folded(input_ids=TOKENS).logits
    assert (actual - expected).abs().max() <= 1e-4 * expected.abs().max()
    asked: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None}
    assert torch.equal(folded.generate(TOKENS, **asked), literal.generate(TOKENS, **asked))
    unmultiplied = plain(input_ids=TOKENS).logits
    assert (unmultiplied - expected).abs().max() > 1e-2 * expected.abs().max()
    return expected
