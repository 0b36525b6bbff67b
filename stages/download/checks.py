"""Whether a fine-tune can be merged with the base, as far as configs and single numbers show.

Each check returns its faults as sentences, so that all parents' faults are shown at once. Whether
the tensors fit is for the merge to say; it is handed to the stage.
"""

from collections.abc import Mapping
from typing import Any

import torch

from stages.checkpoint import Checkpoint

REMEDY = "Parents must match the base; take this one out of params.yaml, or change the base."
# What decides the function that the weights stand for; a key that either config leaves out passes,
# as its tensors are compared too. What tensors alone decide (the number of rows, a tied head, the
# class that saved them) is not here.
_ARCHITECTURE = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "hidden_act",
    "rms_norm_eps",
    "layer_norm_eps",
    "sliding_window",
    "num_local_experts",
    "num_experts_per_tok",
)


def config_faults(config: Mapping[str, Any]) -> list[str]:
    """Return why a model of this config cannot be merged at all."""
    said = config.get("quantization_config")
    if not said:
        return []
    method = said.get("quant_method", "unknown") if isinstance(said, dict) else said
    return [
        f"its weights are quantised ({method!s:.40}). Merging needs full weights; name the "
        "repository that holds them."
    ]


def architecture_faults(base: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Return one sentence on where ``config`` is another architecture than ``base``, or none.

    A text-only model is compared with the language model inside a vision-language base.
    """
    ours, theirs = _text_of(base), _text_of(config)
    is_text_alone = ours is not base and theirs is config
    pairs = [(key, ours.get(key), theirs.get(key)) for key in _ARCHITECTURE]
    pairs.append(("rope_theta", _rope_theta(ours), _rope_theta(theirs)))
    if not is_text_alone:
        pairs.append(("model_type", base.get("model_type"), config.get("model_type")))
    unlike = [
        f"{key} is {theirs!r}, the base's {ours!r}"
        for key, ours, theirs in pairs
        if ours is not None and theirs is not None and ours != theirs
    ]
    return [f"another architecture than the base: {'; '.join(unlike)}. {REMEDY}"] if unlike else []


def _text_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a config that describes the language model."""
    section = config.get("text_config")
    return section if isinstance(section, dict) else config


def _rope_theta(config: Mapping[str, Any]) -> Any:
    """Return the rotary base under its old name or, as transformers 5 writes it, its new one."""
    parameters = config.get("rope_parameters")
    newer = parameters.get("rope_theta") if isinstance(parameters, dict) else None
    return config.get("rope_theta") or newer


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
