"""Merge small neighbouring tensors in one call, as if they were one.

What a tensor costs besides its arithmetic is then paid once for all of a run. No bit depends on
which tensors are in a run: a method whose tensors may be joined takes each entry by itself.
"""

import math
from collections.abc import Iterable, Iterator

from torch import Tensor

from stages.checkpoint.safetensors_header import DTYPES
from stages.merge.arithmetic.method import Sources
from stages.merge.engine.tensor_ranges import CHUNK, check_finite, is_finite
from stages.merge.plan.plan import Plan, TensorPlan

Run = tuple[TensorPlan, ...]


def runs_of(plan: Plan) -> Iterator[Run]:
    """Yield the plan's tensors in their order, those together that can be merged as one.

    A run of several holds at most ``CHUNK`` entries, so it takes no more memory than one tensor.
    """
    run: list[TensorPlan] = []
    room = 0
    for tensor in plan.tensors:
        size = math.prod(tensor.info.shape)
        if run and (size > room or not _continues(plan, run[-1], tensor)):
            yield tuple(run)
            run, room = [], 0
        room = room - size if run else CHUNK - size
        run.append(tensor)
    if run:
        yield tuple(run)


def _continues(plan: Plan, before: TensorPlan, tensor: TensorPlan) -> bool:
    """Return whether a tensor can be merged as one with that before it."""
    return (
        tensor.method is before.method
        and tensor.method.is_entrywise
        and not tensor.is_exact
        and tensor.info.dtype == before.info.dtype
        and tensor.has_base == before.has_base
        and tensor.settings == before.settings
        and tensor.fold == before.fold
        and len(tensor.sources) == len(before.sources)
        and all(
            source.model == previous.model
            and source.rows is None is previous.rows
            and plan.models[source.model].is_next(previous.name, source.name)
            for source, previous in zip(tensor.sources, before.sources, strict=True)
        )
    )


def merge_run(plan: Plan, run: Run) -> Tensor:
    """Return the entries of a run of several tensors, one after the other, in the child's dtype.

    Raises:
        RecipeError: a tensor comes out with an infinity or NaN.
    """
    first, last = run[0], run[-1]
    spans = [
        plan.models[start.model].read_span(start.name, stop.name)
        for start, stop in zip(first.sources, last.sources, strict=True)
    ]
    base = spans.pop(0) if first.has_base else None
    kernel = first.method.prepare(Sources(base, spans), first.settings)
    merged, dtype = kernel(0, spans[0].numel()), DTYPES[first.info.dtype]
    merged = merged if first.fold is None else first.fold.of(merged)
    if not is_finite(merged, dtype):
        start = 0
        for tensor in run:
            stop = start + math.prod(tensor.info.shape)
            check_finite(plan, tensor, merged[start:stop])
            start = stop
    return merged.to(dtype)


def pieces_of(run: Iterable[TensorPlan], data: memoryview) -> Iterator[tuple[str, memoryview]]:
    """Yield the name and the bytes of each tensor of a run, from those of all."""
    start = 0
    for tensor in run:
        stop = start + tensor.info.num_bytes
        yield tensor.name, data[start:stop]
        start = stop
