"""Model breadcrumbs: drop largest and smallest (Davari & Belilovsky 2023, arXiv:2312.06795)."""

import torch
from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.magnitude_bands import Band, band_of, finder, keep_band
from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import DENSITY, GAMMA, SCALE, WEIGHT, normalize
from stages.merge.arithmetic.reference_steps import (
    magnitude_rank,
    normalized,
    num_kept_of,
    restore_l1_norm,
)
from stages.merge.arithmetic.rescale import RESTORE, restored
from stages.merge.arithmetic.task_vector_sums import Sparse, added, used_parents
from stages.merge.arithmetic.thresholds import num_kept
from stages.recipe.method_spec import MethodSpec

SPEC = MethodSpec(
    name="breadcrumbs",
    parameters=(WEIGHT, DENSITY, GAMMA, RESTORE, SCALE, normalize(0.0)),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Davari & Belilovsky 2023, arXiv:2312.06795",
    summary="Task arithmetic on task vectors without their largest and smallest entries.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x sum of weight x masked task vector."""
    return added(sources, settings, masked(sources, settings))


def masked(sources: Sources, settings: Settings) -> Sparse:
    """Return the reader of the task vectors without their largest and smallest entries.

    Differs from the paper: ``density`` is kept exactly, so where ``density`` and ``gamma`` exceed
    1 together, fewer of the largest are dropped.
    """
    bands = {i: _band(sources, settings, i) for i in used_parents(settings)}

    def read(index: int, start: int, stop: int) -> Tensor:
        vector = sources.task_vector(index, start, stop)
        band = bands[index]
        return vector if band is None else keep_band(vector, band, start)

    return restored(sources, settings, read)


def _band(sources: Sources, settings: Settings, index: int) -> Band | None:
    """Return the band of one task vector; None keeps all of it."""
    size = sources.size
    kept = num_kept(size, settings.parent["density"][index])
    if kept >= size:
        return None
    skipped = min(int(settings.parent["gamma"][index] * size), size - kept)
    return band_of(finder(sources, index), size, skipped=skipped, kept=kept)


METHOD = Method(SPEC, prepare)


def reference(
    base: Float[Tensor, "*shape"],
    task_vectors: Float[Tensor, " k *shape"],
    *,
    weight: Float[Tensor, " k *#shape"],
    density: Float[Tensor, " k *#shape"],
    gamma: Float[Tensor, " k *#shape"],
    rescale: str,
    scale: float,
    normalize: float,
) -> Float[Tensor, "*shape"]:
    """Return the base plus the weighted sum of the masked task vectors."""
    # The mask drops the largest entries of each task vector, then keeps the next largest.
    rank, num_kept = magnitude_rank(task_vectors), num_kept_of(density, base)
    num_dropped = torch.minimum((gamma * base.numel()).long(), base.numel() - num_kept)
    is_kept = (rank >= num_dropped) & (rank < num_dropped + num_kept)
    masked = restore_l1_norm(task_vectors * is_kept, task_vectors, rescale)
    return base + scale * (normalized(weight, normalize) * masked).sum(0)
