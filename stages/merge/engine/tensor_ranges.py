"""Carries out a plan: one tensor after another, in float32, with one cast at the end."""

from collections.abc import Hashable, Iterator, Sequence
from functools import cache
from typing import overload

import torch
from torch import Tensor

from stages.checkpoint.safetensors_header import DTYPES
from stages.errors import RecipeError
from stages.merge.arithmetic.array_cache import Memo
from stages.merge.arithmetic.method import Sources
from stages.merge.plan.plan import Plan, Source, TensorPlan
from stages.merge.tokenizers.row_moves import read
from stages.seeds import key

# Elements in a range: few enough for the processor's cache, yet each operation of torch takes
# longer than to take Python's lock again after it.
CHUNK = 1 << 18
LONG_CHUNK = 1 << 19  # where a method does much with an entry
_MEMO = Memo(128 << 20)  # this process's: small models fit, large ones do without


def merge(plan: Plan) -> Iterator[tuple[str, Tensor]]:
    """Yield the child's tensors in the order of their names.

    Raises:
        RecipeError: a tensor comes out with an infinity or NaN, or integers differ.
    """
    for tensor in plan.tensors:
        yield tensor.name, merge_tensor(plan, tensor)


def merge_tensor(
    plan: Plan, tensor: TensorPlan, *, chunk: int | None = None, memo: Memo | None = _MEMO
) -> Tensor:
    """Return one tensor of the child; ``chunk`` and ``memo`` change no bit of it.

    Raises:
        RecipeError: it comes out with an infinity or NaN, or it holds integers that differ.
    """
    child = torch.empty(tensor.info.shape, dtype=DTYPES[tensor.info.dtype])
    flat = child.view(-1)
    for start, part in parts(plan, tensor, chunk=chunk, memo=memo):
        flat[start : start + part.numel()] = part
    return child


def parts(
    plan: Plan, tensor: TensorPlan, *, chunk: int | None = None, memo: Memo | None = None
) -> Iterator[tuple[int, Tensor]]:
    """Yield one tensor of the child, flattened, in ranges: each one's start, and its entries.

    They are in float32, and finite in the dtype that the tensor will have; integers are as they
    are. Never write to them.

    Raises:
        RecipeError: it comes out with an infinity or NaN, or it holds integers that differ.
    """
    read_tensors = read([(plan.models[s.model], s.name, s.rows) for s in tensor.sources])
    if tensor.is_exact:
        yield 0, _copied(plan, tensor, read_tensors).reshape(-1)
        return
    base = read_tensors.pop(0) if tensor.has_base else None
    parents = tensor.sources[-len(read_tensors) :]
    streams = _Streams(plan, parents)
    based = [(plan.models[s.model], s.name, s.rows) for s in tensor.sources[: -len(read_tensors)]]
    identities: Sequence[Hashable] = ()
    if memo is not None:
        identities = [(*based, plan.models[p.model], p.name, p.rows) for p in parents]
    sources = Sources(
        base,
        read_tensors,
        streams,
        memo=memo,
        identities=identities,
        is_in_layer=tensor.is_in_layer,
    )
    kernel = tensor.method.prepare(sources, tensor.settings)
    chunk = chunk or (CHUNK if tensor.method.is_entrywise else LONG_CHUNK)
    for start in range(0, sources.size, chunk):
        part = kernel(start, min(start + chunk, sources.size))
        part = part if tensor.fold is None else tensor.fold.of(part)
        check_finite(plan, tensor, part)
        yield start, part


class _Streams(Sequence[int]):
    """The keys of the parents' random numbers for one tensor: most methods ask for none."""

    def __init__(self, plan: Plan, parents: Sequence[Source]) -> None:
        self._plan = plan
        self._parents = parents
        self._found: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._parents)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> list[int]: ...
    def __getitem__(self, index: int | slice) -> int | list[int]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index not in self._found:  # asked for once for each range
            parent = self._parents[index]
            identity = self._plan.weights_hash_of(parent.model)
            self._found[index] = key(self._plan.recipe.seed, identity, parent.name)
        return self._found[index]


def check_finite(plan: Plan, tensor: TensorPlan, part: Tensor) -> None:
    """Check that a part of a tensor is finite in the dtype that the tensor will have.

    Raises:
        RecipeError: it holds an infinity or NaN.
    """
    if is_finite(part, DTYPES[tensor.info.dtype]):
        return
    where = f"{plan.label}, tensor {tensor.name}: holds an infinity or NaN"
    names = [
        plan.name_of(source.model)
        for source in tensor.sources
        if not torch.isfinite(plan.models[source.model].read(source.name)).all()
    ]
    if names:
        listed = " and ".join(dict.fromkeys(names))
        raise RecipeError(f"{where}, as in {listed}. Leave it out, or fetch or save it again.")
    raise RecipeError(f"{where} in {plan.dtype}. Use smaller weights or a wider dtype.")


def is_finite(part: Tensor, dtype: torch.dtype) -> bool:
    """Return whether every entry is finite in ``dtype``; the norm says so at a tenth of the cost.

    An entry exceeds the norm by no more than the norm's rounding, for which half the range is
    left. A norm that is too large, or no number, decides nothing.
    """
    square = float(torch.dot(part, part))
    return square < _most_square(dtype) or bool(torch.isfinite(part.to(dtype)).all())


@cache
def _most_square(dtype: torch.dtype) -> float:
    limit = torch.finfo(dtype).max / 2
    return min(limit * limit, torch.finfo(torch.float32).max)


def _copied(plan: Plan, tensor: TensorPlan, tensors: list[Tensor]) -> Tensor:
    names = [plan.name_of(source.model) for source in tensor.sources]
    for name, other in zip(names[1:], tensors[1:], strict=True):
        if not torch.equal(tensors[0], other):
            raise RecipeError(
                f"{plan.label}, tensor {tensor.name}: {name} holds other integers than "
                f"{names[0]}. Integers are not merged and must be equal; leave that model out."
            )
    return tensors[0]
