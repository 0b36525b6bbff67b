"""Weighted sums and the sign election, which several methods share."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_SIGN_BIT = -(2**31)  # of a float32's bits, as an int32
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
    """Return the sum of the weighted entries that have the elected sign.

    The sign of the sum of all weighted entries is elected; a sum of zero elects plus. With
    ``normalize`` the result is divided by the sum of the weights that took part, which makes it
    their mean; a sum below 1e-8 in magnitude is not divided by. Zero entries take no part. The
    vectors are float32, and are overwritten.
    Source: Yadav et al. 2023, arXiv:2306.01708, Algorithm 1, steps 2 and 3.
    """
    scaled = [vector.mul_(weight) for vector, weight in zip(vectors, weights, strict=True)]
    votes = _sum(scaled)
    sign = votes.view(torch.int32).bitwise_and_(_SIGN_BIT)
    for entry in scaled:  # its magnitude, or 0 where it disagrees
        entry.view(torch.int32).bitwise_xor_(sign)
        entry.clamp_(min=0)
    total = _sum(scaled)
    if normalize:
        divisor = scaled[0].sign_().mul_(weights[0]).add_(0.0)
        for entry, weight in zip(scaled[1:], weights[1:], strict=True):
            divisor.add_(entry.sign_(), alpha=weight)  # 0 or 1 x weight: exact, fused or not
        total /= _without_zeros(divisor, weights)
    total.view(torch.int32).bitwise_xor_(sign)
    return total


def _sum(entries: Sequence[Tensor]) -> Tensor:
    """Return the sum, added in the order given; a zero of it is never negative.

    ``clamp_`` and the SIMD of a machine may give zeros of either sign.
    """
    total = entries[0] + (entries[1] if len(entries) > 1 else 0.0)
    for entry in entries[2:]:
        total += entry
    return total.add_(0.0) if len(entries) > 1 else total


def _without_zeros(divisor: Tensor, weights: Sequence[float]) -> Tensor:
    """Return the divisor with 1 where it is too small, or any number where the total is also 0."""
    least = min(weights)
    if least >= MIN_SUM:  # then it is 0 where no parent took part, else at least this
        return divisor.clamp_(min=least)
    return torch.where(divisor.abs() < MIN_SUM, 1.0, divisor)
