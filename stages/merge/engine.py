"""Carries out a plan: one tensor after another, in float32, with one cast at the end."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from stages.errors import RecipeError
from stages.headers import DTYPES
from stages.merge.memo import Memo
from stages.merge.method import Sources
from stages.merge.plan import Plan, TensorPlan, plan
from stages.seeds import key

__all__ = ["Plan", "merge", "merge_tensor", "plan"]

CHUNK = 1 << 20  # entries in work at a time: bounds memory, changes no bit
_MEMO = Memo(128 << 20)  # this process's: small models fit, large ones do without


def merge(plan: Plan) -> Iterator[tuple[str, Tensor]]:
    """Yield the child's tensors in the order of their names.

    Raises:
        RecipeError: a tensor comes out with an infinity or NaN, or integers differ.
    """
    for tensor in plan.tensors:
        yield tensor.name, merge_tensor(plan, tensor)


def merge_tensor(
    plan: Plan, tensor: TensorPlan, *, chunk: int = CHUNK, memo: Memo | None = _MEMO
) -> Tensor:
    """Return one tensor of the child; ``chunk`` and ``memo`` change no bit of it.

    Raises:
        RecipeError: it comes out with an infinity or NaN, or it holds integers that differ.
    """
    found = [model.read(name) for model, name in zip(plan.models, tensor.sources, strict=True)]
    if tensor.is_exact:
        return _copied(plan, tensor, found)
    recipe = plan.recipe
    base = found.pop(0) if plan.base is not None else None
    streams = [key(recipe.seed, parent.hash, tensor.name) for parent in recipe.parents]
    identities = [(*plan.models[: -len(found)], p, tensor.sources) for p in plan.parents]
    sources = Sources(base, found, streams, memo=memo, identities=identities)
    kernel = plan.method.prepare(sources, tensor.settings)
    child = torch.empty(tensor.info.shape, dtype=DTYPES[tensor.info.dtype])
    flat = child.view(-1)
    for start in range(0, flat.numel(), chunk):
        stop = min(start + chunk, flat.numel())
        flat[start:stop] = kernel(start, stop)
    if not _is_finite(flat):
        raise RecipeError(
            f"recipe {recipe.id[:12]}, tensor {tensor.name}: holds an infinity or NaN in "
            f"{recipe.dtype}. Use smaller weights, a wider dtype, or parents that are finite."
        )
    return child


def _is_finite(flat: Tensor) -> bool:
    """Return whether every entry is finite; a finite sum says so at a third of the cost."""
    total = float(flat.sum(dtype=torch.float32))
    return math.isfinite(total) or bool(torch.isfinite(flat).all())


def _copied(plan: Plan, tensor: TensorPlan, found: list[Tensor]) -> Tensor:
    for model, other in zip(plan.models[1:], found[1:], strict=True):
        if not torch.equal(found[0], other):
            raise RecipeError(
                f"recipe {plan.recipe.id[:12]}, tensor {tensor.name}: {model.folder.name} holds "
                f"other integers than {plan.frame.folder.name}. Integers are not merged and must "
                "be equal; leave that model out."
            )
    return found[0]
