"""Whether a fine-tune can be merged with the base: its architecture, tensors and numbers.

Each check returns its faults as sentences, so that all parents' faults are shown at once.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from stages.checkpoint.reader import Checkpoint
from stages.errors import CheckpointError

REMEDY = "Parents must match the base; take this one out of params.yaml, or change the base."
# What decides the function that the weights stand for; a key that either config leaves out passes,
# as its tensors are compared too.
_ARCHITECTURE = (
    "architectures",
    "model_type",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "hidden_act",
    "rms_norm_eps",
    "layer_norm_eps",
    "sliding_window",
    "tie_word_embeddings",
    "num_local_experts",
    "num_experts_per_tok",
)


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
    keys = [key for key in _ARCHITECTURE if shared or key != "vocab_size"]
    pairs = [(key, base.get(key), config.get(key)) for key in keys]
    pairs.append(("rope_theta", _rope_theta(base), _rope_theta(config)))
    unlike = [
        f"{key} is {theirs!r}, the base's {ours!r}"
        for key, ours, theirs in pairs
        if ours is not None and theirs is not None and ours != theirs
    ]
    return [f"another architecture than the base: {'; '.join(unlike)}. {REMEDY}"] if unlike else []


def _rope_theta(config: Mapping[str, Any]) -> Any:
    """Return the rotary base under its old name or, as transformers 5 writes it, its new one."""
    return config.get("rope_theta") or (config.get("rope_parameters") or {}).get("rope_theta")


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
