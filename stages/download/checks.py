"""Whether a fine-tune can be merged with the base: its architecture, tensors and numbers.

Each check returns its faults as sentences, so that all parents' faults are shown at once.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from stages.checkpoint import Checkpoint
from stages.config_differences import differences
from stages.errors import CheckpointError

REMEDY = "Parents must match the base; take this one out of params.yaml, or change the base."


def read_config(folder: Path, *, where: str) -> dict[str, Any]:
    """Return config.json of ``folder``.

    Raises:
        CheckpointError: it is not a JSON object.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(
            f"{where}: config.json is not valid JSON: {error}. Fetch the model anew."
        ) from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{where}: config.json holds no object. Fetch the model anew.")
    return config


def config_faults(config: Mapping[str, Any]) -> list[str]:
    """Return why a model of this config cannot be merged at all."""
    if config.get("quantization_config"):
        method = dict(config["quantization_config"]).get("quant_method", "unknown")
        return [
            f"its weights are quantised ({method}). Merging needs full weights; name the "
            "repository that holds them."
        ]
    return []


def architecture_faults(
    base: Mapping[str, Any], config: Mapping[str, Any], *, shared: bool = True
) -> list[str]:
    """Return one sentence on where ``config`` is another architecture than ``base``, or none.

    Without a ``shared`` vocabulary its size may differ.
    """
    unlike = [*differences(base, config).deciding]
    sizes = (_vocab_size(base), _vocab_size(config))
    if shared and () not in sizes and sizes[0] != sizes[1]:
        unlike.append(f"vocab_size is {sizes[1][0]}, the base's {sizes[0][0]}")
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
        f"config.json: {'; '.join(unknown)}. transformers does not read this; see that it changes "
        "nothing."
    ]


def tensor_faults(base: Checkpoint, parent: Checkpoint, *, shared: bool = True) -> list[str]:
    """Return one sentence on the first tensor whose name or shape is not the base's, or none.

    Without a ``shared`` vocabulary, tensors with a row for each token may differ in their rows.
    """
    sizes = (_vocab_size(base.config), _vocab_size(parent.config))
    for name in sorted({*base.tensors, *parent.tensors}):
        ours, theirs = base.tensors.get(name), parent.tensors.get(name)
        if theirs is None:
            return [f"tensor {name}: missing, the base has it. {REMEDY}"]
        if ours is None:
            return [f"tensor {name}: the base has no such tensor. {REMEDY}"]
        has_tokens = not shared and (ours.shape[:1], theirs.shape[:1]) == sizes
        if ours.shape[has_tokens:] != theirs.shape[has_tokens:]:
            return [f"tensor {name}: shape {theirs.shape}, the base has {ours.shape}. {REMEDY}"]
    return []


def _vocab_size(config: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the config's number of embedding rows, as the first axis of a shape; or nothing."""
    sections = (config, config.get("text_config") or {})
    return next(((s["vocab_size"],) for s in sections if "vocab_size" in s), ())


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
