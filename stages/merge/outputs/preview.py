"""What a plan will do, in words and numbers, from headers alone."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from stages.checkpoint.reader import Checkpoint
from stages.files import size_text
from stages.merge.engine.tensor_ranges import LONG_CHUNK
from stages.merge.plan.plan import Plan, TensorPlan
from stages.recipe.recipe import Ancestor, Model, Recipe

MIB = 1 << 20
BYTES_PER_S = 1.0e9  # read and written; a plain copy on a laptop's disk, page cache warm
INTERPRETER_BYTES = 300 * MIB  # Python, torch and what else is loaded
# How much longer than a plain copy a method takes on two cores: docs/benchmarks.md, rounded up.
_FACTORS = {"linear": 1, "passthrough": 1, "task_arithmetic": 2, "slerp": 2, "nearswap": 2}
_SLOWER = 6
# These hold some of a tensor's statistics in float32: as many copies of it as this.
_HELD = dict.fromkeys(
    ("ties", "breadcrumbs", "breadcrumbs_ties", "della", "della_linear", "arcee_fusion", "sce"), 1
)


@dataclass(frozen=True, slots=True)
class Preview:
    """The plans of a merge as text, and as plain JSON data: one for each document."""

    text: str
    data: dict[str, Any]

    @classmethod
    def of(
        cls,
        plans: Sequence[tuple[Plan, Sequence[str]]],
        *,
        threads: int,
        notes: Sequence[str] = (),
    ) -> Self:
        """Return the preview of plans with the notes of each, and ``notes`` on the whole."""
        texts = [
            "\n".join([describe(plan, threads=threads), *(f"  note: {line}" for line in own)])
            for plan, own in plans
        ]
        if notes:
            texts.append("\n".join(f"note: {line}" for line in notes))
        documents = [
            {**plan_data(plan, threads=threads), "notes": list(own)} for plan, own in plans
        ]
        return cls("\n\n".join(texts), {"documents": documents, "notes": list(notes)})


def describe(plan: Plan, *, threads: int) -> str:
    """Return a plan as text: models, tensors, sizes, and what memory and time it may take."""
    return "\n".join(_lines(plan, threads))


def plan_data(plan: Plan, *, threads: int) -> dict[str, Any]:
    """Return what ``describe`` says as plain JSON data; sizes are in bytes.

    ``recipe`` is None where its id is not known before the weights of ``unhashed`` are hashed.
    """
    unhashed = _unhashed(plan.recipe)
    return {
        "label": plan.label,
        "method": plan.method.spec.name,
        "recipe": None if unhashed else plan.id,
        "unhashed": unhashed,
        "models": [
            {"name": plan.name_of(index), **_size_of(model)}
            for index, model in enumerate(plan.models)
        ],
        "tensors": [_tensor_data(plan, tensor) for tensor in plan.tensors],
        "child": {
            "num_tensors": len(plan.tensors),
            "num_weights": _num_weights(plan),
            "dtypes": _dtypes(plan),
            "merged": _merged_by(plan),
            "num_copied": _num_copied(plan),
        },
        "bytes_read": bytes_read(plan),
        "bytes_written": bytes_written(plan),
        "peak_bytes": peak_bytes(plan, threads),
        "threads": threads,
        "seconds": seconds(plan),
    }


def bytes_read(plan: Plan) -> int:
    """Return how many bytes of the models a plan reads."""
    return sum(
        plan.models[source.model].tensors[source.name].num_bytes
        for tensor in plan.tensors
        for source in tensor.sources
    )


def bytes_written(plan: Plan) -> int:
    """Return how many bytes of weights a plan writes."""
    return sum(info.num_bytes for info in plan.outputs.values())


def seconds(plan: Plan) -> float:
    """Return about how long a merge takes; it may well be off by a factor of three."""
    factor = _FACTORS.get(plan.method.spec.name, _SLOWER)
    return factor * (bytes_read(plan) + bytes_written(plan)) / BYTES_PER_S


def peak_bytes(plan: Plan, threads: int) -> int:
    """Return about how much memory a merge takes besides mapped files."""
    sizes = sorted((math.prod(t.info.shape) for t in plan.tensors), reverse=True)[:threads]
    parents = max((len(tensor.sources) for tensor in plan.tensors), default=0)

    num_copies = _HELD.get(plan.method.spec.name, 0)
    ranges = threads * (3 * parents + 4) * LONG_CHUNK * 4
    return INTERPRETER_BYTES + ranges + num_copies * 4 * sum(sizes)


def _lines(plan: Plan, threads: int) -> Iterator[str]:
    yield f"{plan.label}: {plan.method.spec.name}, {plan.method.spec.summary}"
    yield f"  recipe {_id_of(plan.recipe)}"
    for index, model in enumerate(plan.models):
        size = _size_of(model)
        text = ", ".join([*size["dtypes"], size_text(size["bytes"])])
        yield f"  model {plan.name_of(index)}: {size['num_tensors']} tensors, {text}"
    yield ""
    width = max((len(tensor.name) for tensor in plan.tensors), default=0)
    for tensor in plan.tensors:
        yield f"  {tensor.name:{width}}  {_row(tensor)}"
    yield ""
    text = ", ".join(f"{count} {dtype}" for dtype, count in _dtypes(plan).items())
    yield f"  child: {len(plan.tensors)} tensors ({text}), {_num_weights(plan):,} weights"
    shown = [f"{count} by {name}" for name, count in _merged_by(plan).items()]
    yield f"  {', '.join([*shown, f'{_num_copied(plan)} copied as they are'])}"
    read, written = bytes_read(plan), bytes_written(plan)
    yield f"  reads {size_text(read)}, writes {size_text(written)}"
    memory = peak_bytes(plan, threads) / 1e6
    yield f"  memory about {memory:.0f} MB with {threads} threads, mapped files not counted"
    yield f"  time about {seconds(plan):.0f} s, at {BYTES_PER_S / 1e9:g} GB/s (a rough guess)"


def _id_of(recipe: Recipe) -> str:
    """Return a recipe's id, or which models must be hashed before it is known."""
    unhashed = _unhashed(recipe)
    if unhashed:
        return f"id not known before the weights of {', '.join(unhashed)} are hashed"
    return recipe.id


def _unhashed(recipe: Recipe) -> list[str]:
    return [ancestor.name for ancestor in recipe.ancestors if not _is_known(ancestor)]


def _is_known(ancestor: Ancestor) -> bool:
    if isinstance(ancestor, Model):
        return bool(ancestor.hash)
    return all(map(_is_known, ancestor.recipe.ancestors))


def _num_weights(plan: Plan) -> int:
    return sum(math.prod(tensor.info.shape) for tensor in plan.tensors)


def _num_copied(plan: Plan) -> int:
    return sum(tensor.is_exact for tensor in plan.tensors)


def _dtypes(plan: Plan) -> dict[str, int]:
    """Return how many tensors of the child there are of each dtype."""
    return dict(sorted(Counter(tensor.info.dtype for tensor in plan.tensors).items()))


def _merged_by(plan: Plan) -> dict[str, int]:
    """Return how many tensors each method merges."""
    names = (tensor.method.spec.name for tensor in plan.tensors if not tensor.is_exact)
    return dict(sorted(Counter(names).items()))


def _tensor_data(plan: Plan, tensor: TensorPlan) -> dict[str, Any]:
    settings, fold = tensor.settings, tensor.fold
    per_parent = {name: list(values) for name, values in settings.parent.items()}
    return {
        "name": tensor.name,
        "dtype": tensor.info.dtype,
        "shape": list(tensor.info.shape),
        "bytes": tensor.info.num_bytes,
        "models": [plan.name_of(source.model) for source in tensor.sources],
        "method": None if tensor.is_exact else tensor.method.spec.name,
        "values": {**per_parent, **settings.tensor, **settings.choice},
        "gain": None if fold is None else {"times": fold.times, "plus": fold.plus},
    }


def _row(tensor: TensorPlan) -> str:
    shape = "x".join(map(str, tensor.info.shape)) or "scalar"
    how = "copied" if tensor.is_exact else _settings(tensor)
    if tensor.fold is not None:
        plus = f" {tensor.fold.plus:+.6g}" if tensor.fold.plus else ""
        how += f"  times {tensor.fold.times:.6g}{plus}"
    sources = "+".join(str(source.model) for source in tensor.sources)
    sizes = f"{tensor.info.dtype:4} {shape:>14} {size_text(tensor.info.num_bytes):>9}"
    return f"{sizes}  of {sources}  {how}"


def _settings(tensor: TensorPlan) -> str:
    groups = {**tensor.settings.parent}
    groups |= {name: (value,) for name, value in tensor.settings.tensor.items()}
    shown = [f"{name}={','.join(f'{v:.6g}' for v in group)}" for name, group in groups.items()]
    shown += [f"{name}={value}" for name, value in tensor.settings.choice.items()]
    return f"{tensor.method.spec.name} {' '.join(shown)}".rstrip()


def _size_of(model: Checkpoint) -> dict[str, Any]:
    return {
        "num_tensors": len(model.tensors),
        "dtypes": sorted({info.dtype for info in model.tensors.values()}),
        "bytes": sum(info.num_bytes for info in model.tensors.values()),
    }
