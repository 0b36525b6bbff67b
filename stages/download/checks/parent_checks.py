"""Check by configs and numbers whether a fine-tune can be merged with the base.

Each check returns its faults as sentences, so that all parents' faults are shown at once. Whether
the tensors fit is the merge's decision; the stage receives that check.
"""

from collections.abc import Mapping
from typing import Any

import torch

from stages.checkpoint.config_differences import differences
from stages.checkpoint.reader import Checkpoint

REMEDY = "Parents must match the base; take this one out of params.yaml, or change the base."


def architecture_faults(base: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Return one sentence on where ``config`` is another architecture than ``base``, or none.

    A text-only model is compared with the language model inside a vision-language base.
    """
    unlike = differences(base, config).deciding
    if not unlike:
        return []
    return [
        f"another architecture than the base: {'; '.join(unlike)}. Equal weights then compute "
        f"different things. {REMEDY}"
    ]


def architecture_notes(base: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Return one sentence on keys that differ and that transformers does not read, or none."""
    unknown = differences(base, config).unknown
    if not unknown:
        return []
    return [
        f"config.json: {'; '.join(unknown)}. transformers does not read this; check that it "
        "changes nothing."
    ]


def number_faults(model: Checkpoint) -> list[str]:
    """Return one sentence on the first tensor that holds NaN or an infinity, or none."""
    for name in model.tensors:
        tensor = model.read(name)
        if not tensor.is_floating_point():
            continue
        finite = torch.isfinite(tensor if tensor.element_size() > 1 else tensor.float())
        if not bool(finite.all()):
            num_bad = int((~finite).sum())
            return [
                f"tensor {name}: {num_bad} of {finite.numel()} numbers are not finite. The "
                "weights are damaged or the training diverged; use another checkpoint."
            ]
    return []
