"""PEFT LoRA adapters, applied exactly: W + scale * B A in float32, one cast (Hu et al. 2021).

Source: LoRA, arXiv:2106.09685, section 4.1; rank-stabilised scale: arXiv:2312.03732. An adapter
that asks for anything else is refused, never applied in part. adapter_targets.py finds the tensors
of a model that an adapter changes.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from stages.checkpoint.safetensors_header import check_pointer, read_json
from stages.download.pickled_weights import read_file
from stages.download.sources.wanted_files import ADAPTER_CONFIG, check_files
from stages.errors import CheckpointError, words_of

# Settings that training used or that only describe; any other that is set changes the weights.
# PEFT follows the layer of the model, not fan_in_fan_out, and so does adapter_targets.py.
_NEUTRAL = {
    "auto_mapping", "base_model_name_or_path", "ensure_weight_tying", "eva_config",
    "exclude_modules", "fan_in_fan_out", "inference_mode", "layers_pattern",
    "layers_to_transform", "loftq_config", "lora_dropout", "megatron_core", "peft_version",
    "qalora_group_size", "revision", "runtime_config", "target_modules", "task_type",
}  # fmt: skip
_APPLIED = {
    "alpha_pattern", "bias", "init_lora_weights", "lora_alpha", "modules_to_save", "peft_type",
    "r", "rank_pattern", "use_rslora",
}  # fmt: skip
# Other initialisations (PiSSA, OLoRA, LoftQ, ...) change the base that the adapter was trained on.
_PLAIN_INIT = (True, False, None, "gaussian", "eva", "orthogonal")
_KEY = re.compile(r"(.+)\.lora_(embedding_)?([AB])(?:\.default)?(?:\.weight)?")
_PREFIX = "base_model.model."
# What changes no weights, or depends on the prompt: PEFT has no merge for it.
UNMERGEABLE_TYPES = {
    "ADAPTION_PROMPT", "CARTRIDGE", "CPT", "MULTITASK_PROMPT_TUNING", "PREFIX_TUNING",
    "PROMPT_TUNING", "P_TUNING",
}  # fmt: skip
_UNMERGEABLE = {"alora_invocation_tokens", "arrow_config", "layer_replication"}
_FETCH_AGAIN = "Fetch the adapter again."
_REMEDY = "Merge it with PEFT's merge_and_unload, save that, and name the folder here."


@dataclass(frozen=True, slots=True)
class Update:
    """``scale`` times ``up @ down``, transposed where the layer stores its weight transposed.

    As it is read, only that of an embedding is; the layers of a model decide for the others.
    """

    down: Tensor
    up: Tensor
    scale: float
    is_transposed: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weight that the update changes."""
        shape = (self.up.shape[0], self.down.shape[1])
        return shape[::-1] if self.is_transposed else shape

    def delta(self) -> Tensor:
        """Return the sum to add to the weight, in float32."""
        product = self.up.float() @ self.down.float()
        return (product.T if self.is_transposed else product) * self.scale


@dataclass(frozen=True, slots=True)
class Adapter:
    """``updates`` are added to the named tensors, ``replaced`` replace them.

    With ``keeps_ties`` a head that is tied to the embedding was trained as the same tensor.
    """

    updates: Mapping[str, Update]
    replaced: Mapping[str, Tensor]
    keeps_ties: bool = False

    @classmethod
    def read(cls, folder: Path) -> "Adapter":
        """Return the adapter in ``folder``.

        Raises:
            CheckpointError: the adapter is damaged, or is not a plain LoRA.
        """
        check_files(folder, [ADAPTER_CONFIG])
        config = read_json(folder / ADAPTER_CONFIG)
        _check_config(config)
        updates, replaced = _sorted_out(_tensors(folder), config)
        return cls(updates, replaced, bool(config.get("ensure_weight_tying")))

    def applied(self, name: str, weight: Tensor) -> Tensor:
        """Return the tensor ``name`` of the model with the adapter applied, in its own dtype."""
        result = self.replaced.get(name, weight).to(weight.dtype)
        if name in self.updates:
            result = (result.float() + self.updates[name].delta()).to(weight.dtype)
        return result.contiguous()


def _check_config(config: Mapping[str, Any]) -> None:
    faults = [
        f"{key} is {config[key]!r:.80}"
        for key in sorted({*config} - _NEUTRAL - _APPLIED)
        if config[key]
    ]
    allowed: dict[str, Callable[[Any], bool]] = {
        "peft_type": lambda value: value == "LORA",
        "bias": lambda value: value in (None, "none"),
        "init_lora_weights": lambda value: value in _PLAIN_INIT,
        "r": lambda value: type(value) is int and 0 < value < 1 << 20,
        "lora_alpha": _is_number,
        "rank_pattern": _is_pattern,
        "alpha_pattern": _is_pattern,
        "use_rslora": lambda value: isinstance(value, bool | None),
        "target_modules": _are_modules,
        "modules_to_save": _are_modules,
    }
    faults += [
        f"{key} is {config[key]!r:.80}"
        for key, is_legal in allowed.items()
        if key in config and not is_legal(config[key])
    ]
    faults += [
        f"{key} is missing" for key in ("peft_type", "r", "lora_alpha") if key not in config
    ]
    if faults:
        raise CheckpointError(
            f"{ADAPTER_CONFIG}: {', '.join(faults)}. Only plain LoRA is applied here. "
            f"{_advice(config)}"
        )


def _advice(config: Mapping[str, Any]) -> str:
    """Return what to do about an adapter that is not a plain LoRA: what PEFT can merge, it may."""
    kind = config.get("peft_type")
    if str(kind) in UNMERGEABLE_TYPES or any(config.get(key) for key in _UNMERGEABLE):
        return "PEFT cannot merge it into weights either: take it out."
    if config.get("lora_bias"):
        return f"Where all its layers have biases: {_REMEDY[0].lower()}{_REMEDY[1:]}"
    numbers = [config.get("r", 1), config.get("lora_alpha", 1)]
    patterns = [config.get("rank_pattern"), config.get("alpha_pattern")]
    is_sound = isinstance(kind, str) and isinstance(config.get("bias", "none"), str | None)
    is_sound &= all(map(_is_number, numbers)) and all(map(_is_pattern, patterns))
    is_sound &= isinstance(config.get("use_rslora"), bool | None)
    is_sound &= all(_are_modules(config.get(k)) for k in ("target_modules", "modules_to_save"))
    return _REMEDY if is_sound and config.get("r", 1) > 0 else _FETCH_AGAIN


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_modules(value: Any) -> bool:
    """Return whether ``value`` names modules, by a list or by one expression; null names none."""
    listed = value if isinstance(value, list) else [value]
    return value is None or all(isinstance(name, str) and name for name in listed)


def _is_pattern(value: Any) -> bool:
    """Return whether ``value`` maps regular expressions to numbers, or is empty."""
    if value is None:
        return True
    try:
        return all(_is_number(value[key]) and re.compile(key) for key in value)
    except (TypeError, re.error):
        return False


def _tensors(folder: Path) -> dict[str, Tensor]:
    path = folder / "adapter_model.safetensors"
    if not path.is_file():
        return read_file(folder / "adapter_model.bin")
    try:
        check_pointer(path)
        return dict(load_file(path))
    except Exception as error:  # safetensors' own error class is not part of its API
        raise CheckpointError(
            f"{path.name} is damaged: {words_of(error)}. Fetch the adapter again."
        ) from error


def _sorted_out(
    tensors: Mapping[str, Tensor], config: Mapping[str, Any]
) -> tuple[dict[str, Update], dict[str, Tensor]]:
    downs: dict[str, Tensor] = {}
    ups: dict[str, Tensor] = {}
    replaced: dict[str, Tensor] = {}
    embeddings: set[str] = set()
    for key, tensor in tensors.items():
        name = key.removeprefix(_PREFIX)
        if match := _KEY.fullmatch(name):
            _add_once(downs if match[3] == "A" else ups, match[1], tensor, match[3])
            embeddings |= {match[1]} if match[2] else set()
        elif ".original_module." in name:  # what the model had before training
            continue
        elif "lora_" in name:
            raise CheckpointError(f"{key} is not part of plain LoRA. {_REMEDY}")
        else:
            bare = name.replace(".base_layer.", ".").replace(".modules_to_save.", ".")
            replaced[bare.replace(".default.", ".")] = tensor
    if {*downs} != {*ups} or not (downs or replaced):
        lone = ", ".join(sorted({*downs} ^ {*ups})[:3]) or "everything"
        raise CheckpointError(f"holds no pair of A and B for {lone}. Fetch it again.")
    for module, down in downs.items():
        _check_product(module, down, ups[module])
    updates = {
        f"{module}.weight": Update(
            down,
            ups[module],
            _scale(module, down.shape[0], config),
            module in embeddings,
        )
        for module, down in downs.items()
    }
    return updates, replaced


def _check_product(module: str, down: Tensor, up: Tensor) -> None:
    if not (down.is_floating_point() and up.is_floating_point()):
        raise CheckpointError(f"A or B of {module} does not hold fractions. {_FETCH_AGAIN}")
    if down.dim() != 2 or up.dim() != 2 or up.shape[1] != down.shape[0]:
        raise CheckpointError(
            f"A and B of {module} have shapes {list(down.shape)} and {list(up.shape)}, whose "
            f"matrix product B A does not exist. {_FETCH_AGAIN}"
        )


def _add_once(half: dict[str, Tensor], module: str, tensor: Tensor, letter: str) -> None:
    if module in half:
        raise CheckpointError(f"holds {letter} of {module} twice. {_FETCH_AGAIN}")
    half[module] = tensor


def _scale(module: str, rank: int, config: Mapping[str, Any]) -> float:
    """Return alpha / r, or alpha / sqrt(r) for rsLoRA, by the module's r and alpha."""
    r = _by_pattern(config.get("rank_pattern") or {}, module, config["r"])
    alpha = _by_pattern(config.get("alpha_pattern") or {}, module, config["lora_alpha"])
    if r != rank:
        raise CheckpointError(
            f"{module} has rank {rank}, {ADAPTER_CONFIG} says {r}. {_FETCH_AGAIN}"
        )
    return float(alpha / math.sqrt(r) if config.get("use_rslora") else alpha / r)


def _by_pattern(patterns: Mapping[str, Any], module: str, default: Any) -> Any:
    # As PEFT does it: the first pattern that is the whole name or its end after a dot.
    for pattern, value in patterns.items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default
