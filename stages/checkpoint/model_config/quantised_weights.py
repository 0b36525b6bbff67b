"""Whether weights are quantised: the tensors decide, whatever config.json says of them.

A config may keep ``quantization_config`` after the weights were dequantised and saved again.
"""

from collections.abc import Mapping
from typing import Any

from stages.checkpoint.reader import Checkpoint

_KEY = "quantization_config"
# Of whole numbers that stand for weights; I64 and BOOL are ids and masks.
_NARROW = ("F8_E4M3", "F8_E5M2", "U8", "I8", "I16", "I32")


def why_quantised(model: Checkpoint) -> str | None:
    """Return a sentence that names a quantised tensor of a model; None where there is none."""
    for name, info in model.tensors.items():
        is_mask = info.shape[:2] == (1, 1)  # GPT-2's causal masks, [1, 1, n, n]
        if info.dtype in _NARROW and len(info.shape) > 1 and not is_mask:
            method = _method(model.config)
            said = f" by {method}" if method else ""
            return (
                f"its weights are quantised{said}: {name} is {info.dtype}. Merges need full "
                "weights; name a model that has them, or dequantise this one in transformers and "
                "save it."
            )
    return None


def without_quantisation(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config that says of no section that its weights are quantised."""
    return {
        key: without_quantisation(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key != _KEY
    }


def _method(config: Mapping[str, Any]) -> str:
    said = config.get(_KEY)
    method = said.get("quant_method", "") if isinstance(said, dict) else ""
    return str(method)[:40]
