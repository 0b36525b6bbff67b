"""Kernels that add sparse task vectors to the base: all of them, or those of the elected sign."""

from collections.abc import Callable, Sequence

from torch import Tensor

from stages.merge.arithmetic.method import Kernel, Settings, Sources
from stages.merge.arithmetic.weighted_sums import coefficients, elected_sum, weighted_sum

Sparse = Callable[[int, int, int], Tensor]  # (parent, start, stop) to its sparse task vector


def used_parents(settings: Settings) -> list[int]:
    """Return the indices of the parents whose weight is not 0: the others are not read."""
    return [i for i, weight in enumerate(settings.parent["weight"]) if weight != 0.0]


def summed(sources: Sources, settings: Settings, sparse: Sparse) -> Kernel:
    """Return the kernel of ``added``, which reads no parent if the scale is 0.

    Where no parent is read, the child is the base bit for bit.
    """
    factors = _factors(settings)
    return _sum(sources, sparse, factors, [i for i, c in enumerate(factors) if c != 0.0])


def added(sources: Sources, settings: Settings, sparse: Sparse) -> Kernel:
    """Return the kernel of base + scale x sum of weight x sparse task vector."""
    return _sum(sources, sparse, _factors(settings), used_parents(settings))


def averaged(sources: Sources, settings: Settings) -> Kernel:
    """Return the kernel of base + scale x weighted mean of the task vectors.

    Weights that sum to less than 1e-8 in magnitude are not divided by.
    """
    weights, scale = settings.parent["weight"], settings.tensor["scale"]
    factors = coefficients(weights, normalize=True, scale=scale)
    return _sum(sources, sources.task_vector, factors, used_parents(settings))


def _factors(settings: Settings) -> tuple[float, ...]:
    return coefficients(
        settings.parent["weight"],
        normalize=settings.tensor["normalize"] == 1.0,
        scale=settings.tensor["scale"],
    )


def _sum(
    sources: Sources, sparse: Sparse, factors: Sequence[float], used: Sequence[int]
) -> Kernel:
    def total(start: int, stop: int) -> Tensor:
        return weighted_sum([sparse(i, start, stop) for i in used], [factors[i] for i in used])

    return on_base(sources, used, total)


def elected(sources: Sources, settings: Settings, sparse: Sparse) -> Kernel:
    """Return the kernel of base + scale x elected sum of the sparse task vectors."""
    weights, scale = settings.parent["weight"], settings.tensor["scale"]
    normalize = settings.tensor["normalize"] == 1.0
    used = used_parents(settings)

    def total(start: int, stop: int) -> Tensor:
        vectors = [sparse(i, start, stop) for i in used]
        merged = elected_sum(vectors, [weights[i] for i in used], normalize=normalize)
        return merged if scale == 1.0 else merged.mul_(scale)

    return on_base(sources, used, total)


def on_base(sources: Sources, used: Sequence[int], total: Callable[[int, int], Tensor]) -> Kernel:
    """Return the kernel of base + ``total``, or of the base itself if no parent is used."""

    def kernel(start: int, stop: int) -> Tensor:
        base = sources.base(start, stop)
        return total(start, stop).add_(base) if used else base

    return kernel
