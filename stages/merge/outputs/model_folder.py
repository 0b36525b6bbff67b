"""Three sinks of one stream: a model folder, a resident model, a hash. All give the same hash."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from stages.checkpoint.gc_pause import uncollected
from stages.checkpoint.reader import Checkpoint, TensorInfo, digest
from stages.checkpoint.safetensors_header import DTYPES
from stages.checkpoint.writer import CheckpointWriter
from stages.errors import RecipeError
from stages.hashing import content_hash, weights_hash
from stages.merge.architecture.components import is_buffer
from stages.merge.architecture.layout import layout_of
from stages.merge.engine.small_tensor_runs import Run, merge_run, pieces_of, runs_of
from stages.merge.engine.tensor_ranges import merge_tensor, parts
from stages.merge.engine.thread_pool import of_each
from stages.merge.outputs.model_files import write_companions
from stages.merge.outputs.resident_layers import LayerOrder, ResidentLayers
from stages.merge.outputs.transformers_views import residence
from stages.merge.plan.plan import Plan, TensorPlan


def write_model(
    plan: Plan,
    out: Path,
    *,
    shard_bytes: int,
    threads: int | None = None,
    note: Callable[[int], None] | None = None,
) -> str:
    """Write the child as a model folder that transformers loads; return its weights hash.

    ``out`` appears whole or not at all. Its bytes depend on the plan and ``shard_bytes`` alone,
    and the hash on the plan alone; ``threads`` is as many as there are cores, unless it is given.
    ``note`` is told the bytes of each tensor once it is written, by whichever thread wrote it.

    Raises:
        RecipeError: a tensor cannot be merged.
        CheckpointError: ``out`` is already there.
    """
    threads = threads or num_cores()
    with CheckpointWriter(out, plan.outputs, shard_bytes=shard_bytes) as writer:

        def work(run: Run) -> dict[str, str]:
            if len(run) > 1:
                own = writer.add_run([t.name for t in run], _bytes_of(merge_run(plan, run)))
            else:
                name = run[0].name
                own = {name: writer.add_parts(name, _bytes_of_parts(plan, run[0]))}
            if note is not None:
                for tensor in run:
                    note(tensor.info.num_bytes)
            return own

        digests = of_each(tuple(runs_of(plan)), work, threads=threads)
        result = _hash(plan, digests)
        write_companions(plan, writer.folder, result)
    return result


def copy_model(plan: Plan, child: Checkpoint, out: Path, *, shard_bytes: int) -> str:
    """Write what ``write_model`` does, with the weights of ``child``; return their hash.

    Raises:
        CheckpointError: ``out`` is already there, or ``child`` is not the child of the plan.
    """
    with CheckpointWriter(out, plan.outputs, shard_bytes=shard_bytes) as writer:
        for name in child.tensors:
            writer.add(name, child.read(name))
        write_companions(plan, writer.folder, child.hash())
    return child.hash()


def hash_weights(plan: Plan, *, threads: int | None = None) -> str:
    """Return the child's weights hash; nothing is written or kept.

    Raises:
        RecipeError: a tensor cannot be merged.
    """

    def work(run: Run) -> dict[str, str]:
        if len(run) > 1:
            data = _bytes_of(merge_run(plan, run))
            return {n: hashlib.sha256(part).hexdigest() for n, part in pieces_of(run, data)}
        hasher = hashlib.sha256()
        for _, data in _bytes_of_parts(plan, run[0]):
            hasher.update(data)
        return {run[0].name: hasher.hexdigest()}

    return _hash(plan, of_each(tuple(runs_of(plan)), work, threads=threads or num_cores()))


def _bytes_of_parts(plan: Plan, tensor: TensorPlan) -> Iterator[tuple[int, memoryview]]:
    """Yield the bytes of the child's tensor in order, each with its offset."""
    dtype = DTYPES[tensor.info.dtype]
    for start, part in parts(plan, tensor):
        yield start * dtype.itemsize, _bytes_of(part.to(dtype))


def _bytes_of(flat: Tensor) -> memoryview:
    """Return the bytes of a vector."""
    return flat.view(torch.uint8).numpy().data


def num_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # a container may have fewer than the machine
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_NUM_ARRANGEMENTS = 16  # of layers, whose targets a sink remembers


class ResidentSink:
    """Puts children into one model, in place: no file, and no allocation but for added layers.

    A tensor whose part of the recipe is that of the child before is left as it is. So the sink
    owns the weights: nothing else may change them between loads. A child's layers may be more,
    fewer or in another order than the model's, which then has them so; equal ones share memory.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._targets = residence(model)
        self._layers = ResidentLayers(model, self._targets)
        self._targets_of: dict[LayerOrder, dict[str, Tensor]] = {}
        self._prefix = str(getattr(model, "base_model_prefix", ""))
        self._held: dict[object, tuple[object, str]] = {}
        self.contents: list[str] = []  # of the child in the model: before its layers, in each

    def load(self, plan: Plan) -> str:
        """Replace the model's weights with the child's; return the child's weights hash.

        The hash is of the child in the recipe's dtype; the model keeps its own dtype.

        Raises:
            RecipeError: a tensor cannot be merged, or the model's tensors are not the child's.
        """
        self._arrange(plan)
        twins = self._check_targets(plan)
        digests = {}
        shared = (plan.recipe.seed, plan.recipe.ancestors)
        for tensor in plan.tensors:
            target = self._target(tensor.name)
            home = tensor.name if target is None else _home(target)
            loaded, content = self._held.get(home), (shared, tensor.unnamed)
            if loaded is None or loaded[0] != content:
                loaded = (content, self._replace(plan, tensor))
                self._held[home] = loaded
            digests[tensor.name] = loaded[1]
        for first, second in twins:
            if digests[first] != digests[second]:
                raise RecipeError(
                    f"{plan.label}, tensor {first}: the resident model ties it to "
                    f"{second}, in the child they differ. Set tie_word_embeddings to false in "
                    "the base's config, or give both the same values."
                )
        self.contents = self._contents_of(plan, digests)
        return _hash(plan, digests)

    @property
    def layers(self) -> list[nn.Module]:
        """The layers of the child in the model, in their order."""
        return self._layers.modules

    def _contents_of(self, plan: Plan, digests: Mapping[str, str]) -> list[str]:
        """Return a hash of what stands before the layers, and of each layer with its kind."""
        layout, kinds = layout_of(plan.frame), self._layers.arrangement.kinds
        before: list[tuple[str, str]] = []
        layers: list[list[tuple[str, str]]] = [[("", kind)] for kind in kinds]
        for name, digest_of_tensor in digests.items():
            layer = layout.layer_of(name) if layout.module_of(name) == layout.main else None
            if layer is not None and layer < len(layers):
                layers[layer].append((layout.inner(name), digest_of_tensor))
            elif layout.module_of(name) != layout.main or layout.is_before(name):
                before.append((name, digest_of_tensor))
        return [content_hash(sorted(part)) for part in (before, *layers)]

    def _arrange(self, plan: Plan) -> None:
        """Let the model have the child's layers."""
        arrangement = self._layers.arrange(plan)
        if arrangement not in self._targets_of:
            if len(self._targets_of) >= _NUM_ARRANGEMENTS:
                del self._targets_of[next(iter(self._targets_of))]
            self._targets_of[arrangement] = residence(self._model)
        self._targets = self._targets_of[arrangement]

    @torch.no_grad()
    def _replace(self, plan: Plan, tensor: TensorPlan) -> str:
        child = merge_tensor(plan, tensor)
        target = self._target(tensor.name)
        if target is not None:
            target.copy_(child)
        return digest(child)

    def _target(self, name: str) -> Tensor | None:
        """Return the model's tensor of a name; a checkpoint saved without its head has no prefix.

        It is None for a buffer that the model makes for itself.
        """
        return self._targets.get(name, self._targets.get(f"{self._prefix}.{name}"))

    def _check_targets(self, plan: Plan) -> list[tuple[str, str]]:
        """Return the pairs of the child's tensors that share their memory in the model."""
        twins = []
        where = plan.label
        filled: dict[tuple[int, tuple[int, ...]], str] = {}
        for tensor in plan.tensors:
            target = self._target(tensor.name)
            shape = None if target is None else tuple(target.shape)
            if target is None and _is_not_loaded(plan, tensor):
                continue
            if target is None or shape != tensor.info.shape:
                raise RecipeError(
                    f"{where}, tensor {tensor.name}: the child's shape is "
                    f"{list(tensor.info.shape)}, the resident model's is {shape}. Load the model "
                    "from the recipe's base."
                )
            if target.numel():
                twin = filled.setdefault(_home(target), tensor.name)
                twins += [(twin, tensor.name)] if twin != tensor.name else []
        for name, target in self._targets.items():
            if target.numel() and _home(target) not in filled:
                raise RecipeError(
                    f"{where}, tensor {name}: the resident model has it, the child has not. Load "
                    "the model from the recipe's base."
                )
        return twins


def _is_not_loaded(plan: Plan, tensor: TensorPlan) -> bool:
    """Return whether transformers leaves a tensor out: a buffer, or what predicts more tokens."""
    layout, source = layout_of(plan.frame), tensor.sources[0]
    predicts = source.model == 0 and layout.module_of(source.name) in layout.predicting
    return predicts or is_buffer(tensor.name, tensor.info.shape)


def _home(tensor: Tensor) -> tuple[int, tuple[int, ...]]:
    return tensor.data_ptr(), tuple(tensor.shape)


def _hash(plan: Plan, digests: dict[str, str]) -> str:
    with uncollected():
        outputs: dict[str, TensorInfo] = dict(plan.outputs)
        return weights_hash({n: (i.dtype, i.shape, digests[n]) for n, i in outputs.items()})
