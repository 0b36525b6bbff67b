"""Thinned task vectors, mask by mask: what is kept, with which chance, and the child of it.

MergeKit is made to keep the same entries (tests/oracle/settled_choices.py), so its own code must
then make the same child, whatever its generator would have drawn.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from stages.merge.arithmetic.reference_steps import (
    elect_and_merge,
    magnitude_rank,
    magprune_chance,
    normalized,
    num_kept_of,
    restore_l1_norm,
)
from stages.merge.arithmetic.rescale import L1
from stages.merge.plan.plan import Plan, TensorPlan
from stages.merge.tokenizers.row_moves import read
from tests.merge.drawn_words import drawn_words

BY_MAGNITUDE = ("ties", "breadcrumbs", "breadcrumbs_ties")
AT_RANDOM = ("dare_ties", "dare_linear", "della", "della_linear")
BY_RANK = ("della", "della_linear")
ELECTING = ("ties", "breadcrumbs_ties", "dare_ties", "della")


def sources_of(plan: Plan, tensor: TensorPlan) -> list[Tensor]:
    """Return a tensor of each model, the base first, in float32, with its rows moved."""
    parts = [(plan.models[s.model], s.name, s.rows) for s in tensor.sources]
    return [part.float() for part in read(parts)]


def task_vectors(sources: list[Tensor], dtype: torch.dtype) -> Tensor:
    """Return the parents minus the base, of what is read and differences rounded to a dtype."""
    base, *parents = (source.to(dtype) for source in sources)
    return torch.stack([(parent - base).float() for parent in parents])


def values_of(tensor: TensorPlan, name: str, dims: int) -> Tensor:
    """Return a setting of each parent, in float64, as it multiplies their task vectors."""
    return torch.tensor(tensor.settings.parent[name]).double().view(-1, *[1] * dims)


def chances(vectors: Tensor, tensor: TensorPlan) -> Tensor:
    """Return with which chance each entry is kept at random.

    MergeKit ranks the experts of a layer, which it joins, along their second axis.
    """
    density = values_of(tensor, "density", vectors.dim() - 1)
    if tensor.method.spec.name not in BY_RANK:
        return density.expand(vectors.shape)
    epsilon = values_of(tensor, "epsilon", vectors.dim() - 1)
    if vectors.dim() <= 3:
        return magprune_chance(vectors, density, epsilon)
    turned = vectors.transpose(2, 3)
    experts = [
        magprune_chance(turned[:, i], density[:, 0], epsilon[:, 0]) for i in range(turned.shape[1])
    ]
    return torch.stack(experts, dim=1).transpose(2, 3)


def drawn_masks(plan: Plan, tensor: TensorPlan, dtype: torch.dtype) -> Tensor:
    """Return which entries our generator keeps of each task vector."""
    vectors = task_vectors(sources_of(plan, tensor), dtype)
    words = [
        drawn_words(
            plan.recipe.seed, plan.weights_hash_of(source.model), source.name, vectors[0].shape
        )
        for source in tensor.sources[1:]
    ]
    return torch.stack(words) < chances(vectors, tensor) * 2**32


def masks_by_magnitude(vectors: Tensor, tensor: TensorPlan) -> Tensor:
    """Return which entries thresholds keep; of equal ones that of lowest index is the largest."""
    dims, size = vectors.dim() - 1, vectors[0].numel()
    number = num_kept_of(values_of(tensor, "density", dims), vectors[0])
    skipped = torch.zeros_like(number)
    if "gamma" in tensor.settings.parent:
        gamma = values_of(tensor, "gamma", dims)
        skipped = torch.minimum((gamma * size).long(), size - number)
    rank = magnitude_rank(vectors)
    return (rank >= skipped) & (rank < skipped + number)


@dataclass(frozen=True)
class ThinnedVectors:
    """The base, the task vectors that remain of a tensor, and how they are put together."""

    base: Tensor
    sparse: Tensor
    tensor: TensorPlan

    @classmethod
    def of(
        cls, sources: list[Tensor], masks: Tensor, tensor: TensorPlan, dtype: torch.dtype
    ) -> "ThinnedVectors":
        """Return those of sources and differences that are rounded to a dtype."""
        vectors = task_vectors(sources, dtype).double()
        choice = tensor.settings.choice["rescale"]
        sparse = restore_l1_norm(vectors * masks, vectors, choice)
        return cls(sources[0].to(dtype).double(), sparse, tensor)

    @property
    def restores(self) -> bool:
        """Whether a norm is restored of what is thinned."""
        density = self.tensor.settings.parent["density"]
        return self.tensor.settings.choice["rescale"] == L1 and min(density) < 1.0

    @property
    def size(self) -> Tensor:
        """What each entry is summed from, without its signs."""
        terms = (self.sparse * self._weight).abs().sum(0)
        return self.base.abs() + (self._scale * terms / self._least_divisor).abs()

    @property
    def is_undecided(self) -> Tensor:
        """Where roundings to 16 bits, of 2^-8, may decide which sign is elected."""
        weighted = self.sparse * self._weight
        return weighted.sum(0).abs() <= weighted.abs().sum(0) / 32

    def child(self) -> Tensor:
        """Return the child, in float64."""
        settings = self.tensor.settings
        if self.tensor.method.spec.name in ELECTING:
            total = elect_and_merge(self.sparse, self._weight, settings.tensor["normalize"])
        else:
            weight = normalized(self._weight, settings.tensor["normalize"])
            total = (weight * self.sparse).sum(0)
        return self.base + self._scale * total

    @property
    def _scale(self) -> float:
        return self.tensor.settings.tensor["scale"]

    @property
    def _weight(self) -> Tensor:
        return values_of(self.tensor, "weight", self.base.dim())

    @property
    def _least_divisor(self) -> float:
        weights = [abs(w) for w in self.tensor.settings.parent["weight"] if w]
        normalizes = self.tensor.settings.tensor["normalize"] == 1.0
        return (
            min([abs(sum(self.tensor.settings.parent["weight"])), *weights])
            if (normalizes and weights)
            else 1.0
        )
