"""What a child can be where it is open which entries of thinned task vectors are kept.

Two things leave it open: which of equal entries a threshold keeps, and a generator of random
masks. Everything else about the child is given: the sum or the election, the weights, and the
factor that restores a norm, which follows from the mask.
"""

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from stages.merge.arithmetic.reference_steps import (
    elect_and_merge,
    magnitude_rank,
    normalized,
    num_kept_of,
)
from stages.merge.arithmetic.rescale import L1, MIN_NORM
from stages.merge.plan.plan import Plan, TensorPlan
from stages.merge.tokenizers.row_moves import read

BY_MAGNITUDE = ("ties", "breadcrumbs", "breadcrumbs_ties")
AT_RANDOM = ("dare_ties", "dare_linear", "della", "della_linear")
ELECTING = ("ties", "breadcrumbs_ties", "dare_ties", "della")
WINDOW = 1e-3  # of factors that count as one
VISIBLE = 4  # roundings of the base that a kept entry must exceed to be seen
FEW = 64  # entries
TRIED = 12  # factors, those that most entries imply
LIKE = 0.1  # a factor of the masks is this near to the one that entries imply


def sources_of(plan: Plan, tensor: TensorPlan) -> list[Tensor]:
    """Return a tensor of each model, the base first, in float32, with its rows moved."""
    parts = [(plan.models[s.model], s.name, s.rows) for s in tensor.sources]
    return [part.float() for part in read(parts)]


@dataclass(frozen=True)
class ThinnedVectors:
    """The task vectors of one tensor: ``is_kept`` where that is certain, ``is_open`` where not."""

    base: Tensor
    vectors: Tensor
    is_kept: Tensor
    is_open: Tensor
    weight: Tensor
    density: Tensor
    normalize: float
    scale: float
    restores: bool
    elects: bool
    eps: float

    @classmethod
    def of(
        cls, sources: list[Tensor], tensor: TensorPlan, dtype: torch.dtype, child: torch.dtype
    ) -> "ThinnedVectors":
        """Return those of a plan's tensor, of sources and differences rounded to a dtype.

        ``child`` is the dtype of what they are seen in.
        """
        base, *parents = (part.to(dtype) for part in sources)
        vectors = torch.stack([(parent - base).float() for parent in parents])
        settings, name = tensor.settings, tensor.method.spec.name
        shape = (-1, *[1] * base.dim())
        parent = {k: torch.tensor(v).view(shape) for k, v in settings.parent.items()}
        density = parent["density"]
        if name in AT_RANDOM:
            is_kept = (density >= 1.0).expand_as(vectors)
            is_open = ~is_kept
        else:
            is_kept, is_open = _by_magnitude(vectors, density, parent.get("gamma"))
        return cls(
            base.float(),
            vectors,
            is_kept,
            is_open,
            parent["weight"],
            density,
            settings.tensor["normalize"],
            settings.tensor["scale"],
            settings.choice["rescale"] == L1,
            name in ELECTING,
            max((torch.finfo(t).eps for t in (dtype, child) if t != torch.float32), default=0.0),
        )

    def nearest(self, child: Tensor) -> Tensor:
        """Return the possible child that is nearest to ``child``, entry by entry."""
        return self._nearest(child, self.factors(child))[1]

    def kept_by(self, child: Tensor) -> Tensor:
        """Return the masks of the nearest possible child."""
        return self._nearest(child, self.factors(child))[0]

    def factors(self, child: Tensor) -> Tensor:
        """Return what multiplies each task vector's kept entries.

        Thresholds keep a given number of given sizes, so the norm that is restored is known. Of
        random masks the factor is what most entries imply that hold one such vector alone, and
        where the mask is seen, what that mask asks for.
        """
        if not self.restores:
            return torch.ones_like(self.density)
        ratios = self.norm_ratios(self.is_kept)
        is_drawn = self.is_open.flatten(1).all(1).view_as(self.density)
        if not bool(is_drawn.any()):
            return ratios
        implied = [self._implied_factor(child, i) for i in range(len(self.vectors))]
        ratios = torch.where(is_drawn, torch.tensor(implied).view_as(ratios), ratios)
        if self.hides_masks:
            return ratios
        exact = self.norm_ratios(self._nearest(child, ratios)[0])
        return torch.where((exact / ratios - 1).abs() < LIKE, exact, ratios)

    @property
    def hides_masks(self) -> bool:
        """Whether an entry that is kept may lose an election, so that it is not seen."""
        return self.elects and len(self.vectors) > 1

    @property
    def is_visible(self) -> Tensor:
        """Where a kept entry is larger than the roundings of the steps."""
        size = (self.vectors * self.weight * self.scale).abs()
        return size > torch.maximum(VISIBLE * self.eps * self.base.abs(), torch.tensor(1e-4))

    def norm_ratios(self, is_kept: Tensor) -> Tensor:
        """Return the L1 norm of each task vector over what a mask leaves of it."""
        norms = [
            v.double().abs().flatten(1).sum(1) for v in (self.vectors, self.vectors * is_kept)
        ]
        is_tiny = torch.minimum(*norms) < MIN_NORM
        ratio = torch.where(is_tiny, 1.0, norms[0] / torch.where(is_tiny, 1.0, norms[1]))
        return ratio.float().view_as(self.density)

    def _implied_factor(self, child: Tensor, index: int) -> float:
        """Return the factor of a task vector that the most entries of a child imply."""
        certain = [i for i in range(len(self.vectors)) if not bool(self.is_open[i].any())]
        weight = self.weight.flatten().tolist()
        implied = []
        for bits in product((True, False), repeat=len(certain)):
            others = [i for i, bit in zip(certain, bits, strict=True) if bit]
            if not self.elects and others != certain:
                continue
            total = sum((weight[i] * self.vectors[i] for i in others), torch.zeros_like(child))
            divisor = sum(weight) if not self.elects else sum(weight[i] for i in [index, *others])
            step = (child - self.base) / self.scale * (divisor if self.normalize else 1.0) - total
            is_visible = self.is_visible[index]
            implied.append(step[is_visible] / (weight[index] * self.vectors[index])[is_visible])
        density = float(self.density.flatten()[index])
        is_small = self.base.numel() <= FEW  # one entry may hold most of the norm, or little
        least, most = (0.9 * density, 50.0) if is_small else (0.4, 3.0)
        values = torch.cat(implied)
        values = values[(values > least / density) & (values < most / density)].sort().values
        if not values.numel():
            return 1 / density
        ends = torch.searchsorted(values, values * (1 + max(WINDOW, 4 * self.eps)))
        counts = ends - torch.arange(values.numel())
        best = counts.argsort(descending=True, stable=True)[: FEW if is_small else TRIED].tolist()
        factors = [float(values[i : int(ends[i])].median()) for i in best]
        return max(factors, key=lambda factor: self._num_near(child, index, factor))

    def _num_near(self, child: Tensor, index: int, factor: float) -> int:
        """Return how many entries one factor explains, where the others are known."""
        factors = self.norm_ratios(self.is_kept).flatten()
        factors[index] = factor
        nearest = self._nearest(child, factors.view_as(self.density))[1]
        room = (1e-4 + 2 * self.eps) * child.abs() + 1e-5
        return int(((nearest - child).abs() <= room).sum())

    def _nearest(self, child: Tensor, factors: Tensor) -> tuple[Tensor, Tensor]:
        """Return the masks, and the child that they make, that are nearest to ``child``."""
        best, masks, gap = child, self.is_kept, torch.full_like(child, float("inf"))
        for bits in product((True, False), repeat=len(self.vectors)):
            choice = torch.tensor(bits).view_as(self.density)
            mask = torch.where(self.is_open, choice, self.is_kept)
            possible = self._child(mask, factors)
            distance = (possible - child).abs()
            is_nearer = distance < gap
            best = torch.where(is_nearer, possible, best)
            masks = torch.where(is_nearer, mask, masks)
            gap = torch.where(is_nearer, distance, gap)
        return masks, best

    def _child(self, is_kept: Tensor, factors: Tensor) -> Tensor:
        sparse = self.vectors * is_kept * factors
        if self.elects:
            total = elect_and_merge(sparse, self.weight, self.normalize)
        else:
            total = (normalized(self.weight, self.normalize) * sparse).sum(0)
        return self.base + self.scale * total


def _by_magnitude(vectors: Tensor, density: Tensor, gamma: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return what thresholds keep, and the entries that equal a threshold which splits equals."""
    size = vectors[0].numel()
    number = num_kept_of(density, vectors[0])
    skipped = torch.zeros_like(number)
    if gamma is not None:
        skipped = torch.minimum((gamma * size).long(), size - number)
    rank = magnitude_rank(vectors)
    is_kept = (rank >= skipped) & (rank < skipped + number)
    is_open = torch.zeros_like(is_kept)
    for i, magnitudes in enumerate(vectors.abs()):
        for value in magnitudes[is_kept[i]].unique():
            is_equal = magnitudes == value
            if not bool(is_kept[i][is_equal].all()):
                is_open[i] |= is_equal
    return is_kept, is_open
