"""Weighted sums and the sign election: what several methods do with their tensors."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

MIN_SUM = 1e-8  # a sum of weights nearer to zero than this is not divided by


def coefficients(
    weights: Sequence[float], *, normalize: bool, scale: float = 1.0
) -> tuple[float, ...]:
    """Return ``scale`` x weight for each weight; if ``normalize``, over the sum of the weights.

    Weights that sum to less than 1e-8 in magnitude are not normalised.
    """
    total = math.fsum(weights)
    divisor = total if normalize and abs(total) >= MIN_SUM else 1.0
    return tuple(scale * weight / divisor for weight in weights)


def weighted_sum(tensors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Return the sum of weight x tensor, added in the order given.

    Each product and each sum is rounded to float32 once: a fused multiply-add would round
    differently in the SIMD part and in the remainder of a range.
    """
    total = tensors[0] * weights[0]
    for tensor, weight in zip(tensors[1:], weights[1:], strict=True):
        total += tensor * weight
    return total


def elected_sum(vectors: Sequence[Tensor], weights: Sequence[float], *, normalize: bool) -> Tensor:
    """Return the sum of those weighted entries that have the elected sign.

    The sign of the sum of all weighted entries is elected; a sum of zero elects plus. With
    ``normalize`` the result is divided by the sum of the weights that took part, which makes it
    their mean; a sum below 1e-8 in magnitude is not divided by. Zero entries take no part.
    Source: Yadav et al. 2023, arXiv:2306.01708, Algorithm 1, steps 2 and 3.
    """
    scaled = [vector * weight for vector, weight in zip(vectors, weights, strict=True)]
    votes = scaled[0] + 0.0  # and so on: -0 becomes 0, which elects plus
    for entry in scaled[1:]:
        votes += entry
    sign = torch.copysign(torch.ones(()), votes, out=votes)
    # Each entry's magnitude, or 0 where it disagrees.
    agreed = [entry.mul_(sign).clamp_(min=0) for entry in scaled]
    total = agreed[0] + 0.0
    for entry in agreed[1:]:
        total += entry
    if normalize:
        divisor = agreed[0].sign_().mul_(weights[0]).add_(0.0)
        for entry, weight in zip(agreed[1:], weights[1:], strict=True):
            divisor.add_(entry.sign_(), alpha=weight)  # 0 or 1 x weight: exact, fused or not
        total /= _without_zeros(divisor, weights)
    return total.mul_(sign)


def _without_zeros(divisor: Tensor, weights: Sequence[float]) -> Tensor:
    """Return the divisor, with 1 where it is too small, or any number where the total is 0 too."""
    least = min(weights)
    if least >= MIN_SUM:  # then it is 0 where nobody took part, and else no less than this
        return divisor.clamp_(min=least)
    return torch.where(divisor.abs() < MIN_SUM, 1.0, divisor)
