"""The experts of a layer, which MergeKit merges as transformers joins them: as one tensor.

Here each expert is merged by itself. Where a method looks at whole tensors (thresholds, norms,
angles), the children differ; then our method on the joined tensor must be what MergeKit has.
"""

import re
from collections.abc import Iterable

import torch
from torch import Tensor

from stages.checkpoint.safetensors_header import DTYPES
from stages.merge.arithmetic.method import Sources
from stages.merge.plan.plan import Plan, TensorPlan
from tests.oracle.random_merges.thinned_vectors import (
    AT_RANDOM,
    ThinnedVectors,
    sources_of,
)

_JOINED = {"gate_up_proj": ("w1", "w3"), "down_proj": ("w2",)}
BY_ROW = ("arcee_fusion", "model_stock")
_EXPERTS = re.compile(r"(.+)\.mlp\.experts\.(gate_up_proj|down_proj)")


def members(name: str, tensors: Iterable[str]) -> list[list[str]]:
    """Return the names in the file of what a name in memory joins: a list for each expert."""
    match = _EXPERTS.fullmatch(name)
    if match is None:
        return [[name.replace(".mlp.gate.", ".block_sparse_moe.gate.")]]
    stem, names = f"{match[1]}.block_sparse_moe.experts", set(tensors)
    experts = sum(f"{stem}.{i}.w1.weight" in names for i in range(64))
    return [[f"{stem}.{i}.{w}.weight" for w in _JOINED[match[2]]] for i in range(experts)]


def joined(parts: Iterable[list[Tensor]], *, axis: int = 0) -> Tensor:
    """Return the tensor in memory of the tensors of each expert, which begin at an axis."""
    return torch.stack([torch.cat(tensors, dim=axis) for tensors in parts], dim=axis)


def joined_sources(plan: Plan, plans: list[list[TensorPlan]]) -> list[Tensor]:
    """Return the joined tensor of each model."""
    sources = [[sources_of(plan, tensor) for tensor in expert] for expert in plans]
    count = len(sources[0][0])
    return [joined([tensor[i] for tensor in expert] for expert in sources) for i in range(count)]


def merged_as_one(
    tensor: TensorPlan, sources: list[Tensor], masks: Tensor | None, dtype: torch.dtype
) -> Tensor:
    """Return what our method makes of joined tensors, with the settings of one of them.

    A row of MergeKit's is along the last axis, one of ours along all but the first. Random masks
    are those of the experts, of task vectors in a dtype.
    """
    shape, kind = sources[0].shape, DTYPES[tensor.info.dtype]
    if tensor.method.spec.name in AT_RANDOM:
        assert masks is not None
        return ThinnedVectors.of(sources, masks, tensor, dtype).child().to(kind)
    if tensor.method.spec.name in BY_ROW:
        sources = [source.flatten(0, -2) for source in sources]
    base = sources[0] if tensor.has_base else None
    parents = sources[1:] if tensor.has_base else sources
    streams = range(len(parents))
    inputs = Sources(base, parents, streams, is_in_layer=tensor.is_in_layer)
    kernel = tensor.method.prepare(inputs, tensor.settings)
    return kernel(0, inputs.size).view(shape).to(kind)
