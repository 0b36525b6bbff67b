"""Breadcrumbs with the election of TIES (Davari & Belilovsky 2023, arXiv:2312.06795)."""

import torch
from jaxtyping import Float
from torch import Tensor

from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.parameters import DENSITY, GAMMA, SCALE, WEIGHT, normalize
from stages.merge.arithmetic.reference_steps import (
    elect_and_merge,
    magnitude_rank,
    num_kept_of,
    restore_l1_norm,
)
from stages.merge.arithmetic.rescale import RESTORE
from stages.merge.arithmetic.task_vector_sums import elected
from stages.merge.methods.breadcrumbs import masked
from stages.recipe.method_spec import MethodSpec

SPEC = MethodSpec(
    name="breadcrumbs_ties",
    parameters=(WEIGHT, DENSITY, GAMMA, RESTORE, SCALE, normalize(0.0)),
    needs_base=True,
    min_parents=1,
    max_parents=None,
    source="Davari & Belilovsky 2023, arXiv:2312.06795; Yadav et al. 2023, arXiv:2306.01708",
    summary="TIES on task vectors without their largest and smallest entries.",
)


def prepare(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x elected sum of the masked task vectors."""
    return elected(sources, settings, masked(sources, settings))


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
    """Return the base plus the masked task vectors, elected and merged."""
    # Breadcrumbs: drop the largest entries of each task vector, then keep the next largest.
    rank, num_kept = magnitude_rank(task_vectors), num_kept_of(density, base)
    num_dropped = torch.minimum((gamma * base.numel()).long(), base.numel() - num_kept)
    is_kept = (rank >= num_dropped) & (rank < num_dropped + num_kept)
    masked = restore_l1_norm(task_vectors * is_kept, task_vectors, rescale)
    # TIES, steps 2 and 3.
    return base + scale * elect_and_merge(masked, weight, normalize)
