"""The first tensor, and the first number in it, in which two sets of weights differ."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from flows.audit.check_verdict import Difference
from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.safetensors_header import DTYPES
from stages.errors import CheckpointError
from stages.merge.engine.tensor_ranges import merge_tensor
from stages.merge.plan.plan import Plan


def first_difference(recorded: Checkpoint, folder: Path) -> Difference | None:
    """Return the first difference of the weights in ``folder`` from those of ``recorded``."""
    try:
        now = Checkpoint(folder)
    except CheckpointError as error:
        return Difference(str(folder), f"the weights of {recorded.folder}", str(error))
    tensors = ((name, now.read(name)) for name in now.tensors)
    first = _first(recorded, now.tensors, tensors)
    return first and first.of(folder)


def first_of_child(recorded: Checkpoint, plan: Plan) -> Difference | None:
    """Return the first difference of the child that ``plan`` gives from its recorded weights."""
    tensors = (
        (tensor.name, merge_tensor(plan, tensor).to(DTYPES[tensor.info.dtype]))
        for tensor in plan.tensors
    )
    first = _first(recorded, plan.outputs, tensors)
    return first and first.of(recorded.folder)


def _first(
    recorded: Checkpoint, names: Mapping[str, object], tensors: Iterator[tuple[str, Tensor]]
) -> Difference | None:
    if set(names) != set(recorded.tensors):
        name = min(set(names) ^ set(recorded.tensors))
        has = ("there", "not there") if name in recorded.tensors else ("not there", "there")
        return Difference(f"tensor {name}", *has)
    for name, now in tensors:
        then = recorded.read(name)
        at = f"tensor {name}"
        if then.dtype != now.dtype or then.shape != now.shape:
            kinds = [f"{t.dtype} {list(t.shape)}" for t in (then, now)]
            return Difference(at, *kinds)
        size = then.element_size()
        differs = (_bytes(then) != _bytes(now)).view(-1, size).any(dim=1) if then.numel() else None
        if differs is not None and bool(differs.any()):
            number = int(differs.nonzero()[0])
            values = [repr(t.reshape(-1)[number].item()) for t in (then, now)]
            return Difference(f"{at}, number {number}", *values)
    return None


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)
