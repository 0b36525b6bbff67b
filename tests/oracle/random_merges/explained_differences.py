"""What of a child may differ from MergeKit's, tensor by tensor: each reason under its name.

The names are those of docs/mergekit.md. A reason says what ours, or MergeKit's, must be then; a
difference that meets none is a fault.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from stages.merge.methods.sce import reference
from tests.oracle.random_merges.one_difference import Difference
from tests.oracle.random_merges.thinned_vectors import (
    AT_RANDOM,
    BY_MAGNITUDE,
    ThinnedVectors,
)

RTOL, ATOL = 1e-4, 2e-6  # those of the other comparisons in float32
NOISE = 1e-6  # of a divergence in float32, which is a sum of shares near 1
LEANING = 0.15  # of della, whose large entries are kept more often
STEPS = 4  # roundings to 16 bits of one entry, where the order of steps is MergeKit's


def is_near(ours: Tensor, exact: Tensor) -> Tensor:
    """Return where ours is ``exact`` within float32's rounding, then rounded once to its dtype."""
    half_step = 0.0 if ours.dtype == torch.float32 else torch.finfo(ours.dtype).eps / 2
    exact, ours = exact.double(), ours.double()
    return (ours - exact).abs() <= (half_step + RTOL) * exact.abs() + ATOL


def equal(difference: Difference) -> bool:
    """Both have the same entries within float32's rounding, the same bits if they are narrow."""
    if difference.ours.dtype != difference.mergekits.dtype:
        return False
    if difference.ours.dtype != torch.float32 or difference.is_stepwise:
        return torch.equal(difference.ours, difference.mergekits)
    return bool(is_near(difference.ours, difference.mergekits).all())


def arithmetic_in_float32(difference: Difference) -> bool:
    """Ours is what MergeKit has in float32, rounded once, by the last anchors at the end."""
    if difference.is_stepwise or difference.ours.dtype != difference.mergekits.dtype:
        return False
    return bool(is_near(difference.ours, difference.target).all())


def equal_entries_at_a_threshold(difference: Difference) -> bool:
    """Both are children that trimming allows, where equal entries are kept in another order."""
    if difference.file.method not in BY_MAGNITUDE:
        return False
    views = _thinned(difference)
    is_free = bool(views[0][0].is_open.any()) or (difference.is_stepwise and views[0][0].restores)
    return is_free and _are_possible(difference, views)


def random_masks(difference: Difference) -> bool:
    """Both are children of masks of the density that is asked for."""
    if difference.file.method not in AT_RANDOM:
        return False
    views = _thinned(difference)
    if not bool(views[0][0].is_open.any()):  # all is kept: a restored norm may differ by its bits
        is_free = difference.is_stepwise and views[0][0].restores
        return is_free and _are_possible(difference, views)
    return _are_possible(difference, views) and all(_has_density(*view) for view in views)


def _thinned(difference: Difference) -> list[tuple[ThinnedVectors, Tensor]]:
    """Return ours and what it is compared with, each with the task vectors as they show there."""
    dtype = getattr(torch, difference.file.dtype) if difference.is_stepwise else torch.float32
    other = difference.mergekits if difference.is_stepwise else difference.target
    return [(difference.thinned(dtype, child.dtype), child) for child in (difference.ours, other)]


def _are_possible(difference: Difference, views: list[tuple[ThinnedVectors, Tensor]]) -> bool:
    """Return whether both are possible children, of steps that round within their roundings.

    Of steps that round, only entries whose mask is open differ, or all if a norm is restored. In
    16 bits a mask does not show whole, so the factor that it asks for is known within 1 %.
    """
    nearest = [(thinned.nearest(child.float()), child) for thinned, child in views]
    if not difference.is_stepwise:
        base = views[0][0].base
        is_drawn = difference.file.method in AT_RANDOM
        return all(bool(_is_alike(child, p, base, is_drawn).all()) for p, child in nearest)
    thinned = views[0][0]
    is_free = thinned.is_open.any(dim=0) | torch.tensor(thinned.restores)
    if not torch.equal(difference.ours[~is_free], difference.mergekits[~is_free]):
        return False
    size = thinned.base.abs() + thinned.vectors.abs().sum(0) * max(1.0, thinned.scale)
    room = STEPS * torch.finfo(getattr(torch, difference.file.dtype)).eps * size
    return all(
        bool(((child.float() - possible).abs() <= room).all()) for possible, child in nearest
    )


def _is_alike(child: Tensor, possible: Tensor, base: Tensor, is_drawn: bool) -> Tensor:
    is_alike = is_near(child, possible)
    if not is_drawn or child.dtype == torch.float32:
        return is_alike
    room = 0.01 * (possible - base).abs() + torch.finfo(child.dtype).eps * possible.abs() + ATOL
    return is_alike | ((child.float() - possible).abs() <= room)


def _has_density(thinned: ThinnedVectors, child: Tensor) -> bool:
    """Return whether the masks that a child shows keep the density, within five deviations.

    Where entries are elected between several models masks are not seen; the factor that restores
    the norm is, and must be near that of the density.
    """
    if thinned.hides_masks:
        return _has_plausible_factors(thinned, child)
    is_seen = thinned.is_open & thinned.is_visible
    kept = thinned.kept_by(child.float())
    for i, density in enumerate(thinned.density.flatten().tolist()):
        number = int(is_seen[i].sum())
        expected, deviation = number * density, (number * density * (1 - density)) ** 0.5
        if abs(int((kept[i] & is_seen[i]).sum()) - expected) > 5 * deviation + 2:
            return False
    return True


def _has_plausible_factors(thinned: ThinnedVectors, child: Tensor) -> bool:
    factors = thinned.factors(child.float()).flatten().tolist()
    size = thinned.base.numel()
    for i, density in enumerate(thinned.density.flatten().tolist()):
        is_whole = density >= 1 or not thinned.restores
        spread = 8 * (density * (1 - density) / size) ** 0.5  # entries weigh by their sizes
        if not is_whole and abs(1 / factors[i] - density) > spread + LEANING:
            return False
    return True


def equal_variances_at_a_threshold(difference: Difference) -> bool:
    """Of sce, both are children of a selection in which equal variances are taken in any order."""
    share = difference.tensor.settings.tensor.get("select_topk", 1.0)
    if difference.file.method != "sce" or share == 1.0:
        return False
    base, *parents = difference.sources
    vectors = torch.stack([parent - base for parent in parents])
    variance = vectors.double().var(0, unbiased=False)
    number = max(1, int(share * int((variance > 0).sum())))
    threshold = float(variance.flatten().sort(descending=True).values[number - 1])
    is_open = (variance - threshold).abs() <= 1e-5 * threshold
    for child in (difference.ours, difference.target):
        is_moved = (child.float() - base).abs() > ATOL
        selected = torch.where(is_open, is_moved, variance > threshold)
        exact = reference(base, vectors * selected, select_topk=1.0)
        if int(selected.sum()) != number or not bool(is_near(child, exact).all()):
            return False
    return True


def straight_line_to_zero(difference: Difference) -> bool:
    """Ours is the straight line where a vector is zero; MergeKit takes it at a right angle."""
    if difference.file.is_compat or difference.file.method not in ("slerp", "nuslerp"):
        return False
    *base, one, two = difference.sources
    origin = base[0] if base else torch.zeros_like(one)
    one, two = one - origin, two - origin
    if bool(one.any()) and bool(two.any()):
        return False
    settings = difference.tensor.settings
    if difference.file.method == "slerp":
        share = settings.tensor["t"]
    else:
        first, second = settings.parent["weight"]
        share = second / (first + second)
    straight = origin + (1 - share) * one + share * two
    bent = [math.sin(part * math.pi / 2) for part in (1 - share, share)]
    is_bent = is_near(difference.target, origin + bent[0] * one + bent[1] * two)
    return bool((is_near(difference.ours, straight) & is_bent).all())


def slerp_in_steps(difference: Difference) -> bool:
    """In 16 bits with MergeKit's rounding, ours is at most one step from MergeKit's."""
    if not difference.is_stepwise or difference.file.method != "slerp":
        return False
    step = torch.finfo(difference.ours.dtype).eps
    gap = (difference.ours.double() - difference.mergekits.double()).abs()
    return bool((gap <= step * difference.mergekits.double().abs() + ATOL).all())


def base_where_vectors_point_apart(difference: Difference) -> bool:
    """Of model_stock, ours is the base where task vectors have a mean cosine of 0 or less."""
    if difference.file.method != "model_stock":
        return False
    base, *parents = difference.sources
    by_row = difference.tensor.settings.tensor["filter_wise"] == 1.0 and base.dim() > 1
    length = base.shape[-1] if by_row else base.numel()
    rows = torch.stack([(p - base).reshape(-1, length) for p in parents])
    unit = torch.nn.functional.normalize(rows.double(), dim=-1)
    cosines = torch.einsum("irn,jrn->rij", unit, unit)
    count = len(parents)
    mean = (cosines.sum((1, 2)) - cosines.diagonal(dim1=1, dim2=2).sum(1)) / (count * (count - 1))
    apart = mean <= 1e-6
    ours, origin, target = (
        t.reshape(len(apart), -1) for t in (difference.ours, base, difference.target)
    )
    exact = torch.where(apart[:, None], origin, target)
    return bool(apart.any()) and bool(is_near(ours, exact).all())


def importance_at_the_fence(difference: Difference) -> bool:
    """Of arcee_fusion, an entry whose importance is the threshold within rounding is taken or not.

    Float32's noise in the divergences of near models decides it there; ours are in float64.
    """
    if difference.file.method != "arcee_fusion":
        return False
    first, second = (source.flatten(0, -2) for source in difference.sources)
    if first.dim() < 2:
        first, second = first[None], second[None]
    shares = [rows.double().log_softmax(-1) for rows in (first, second)]
    divergence = (shares[1].exp() * (shares[1] - shares[0])).sum(-1, keepdim=True)
    importance = (second - first).double().abs() * divergence
    ordered = importance.flatten().sort().values
    low, median, high = (float(ordered[int(q * (len(ordered) - 1))]) for q in (0.25, 0.5, 0.75))
    fence = median + 1.5 * (high - low)
    noise = NOISE * (importance / divergence.clamp(min=1e-12)) + 1e-3 * fence
    is_open = ((importance - fence).abs() <= noise).reshape(difference.ours.shape)
    exact = [t.reshape(difference.ours.shape) for t in (first, second)]
    is_either = is_near(difference.ours, exact[0]) | is_near(difference.ours, exact[1])
    is_alike = is_near(difference.ours, difference.target)
    return bool((is_alike | (is_open & is_either)).all())


def dtype_that_mergekit_leaves(difference: Difference) -> bool:
    """Of ramplus_tl and arcee_fusion MergeKit writes float32, whatever the dtype; ours has it."""
    if difference.file.method not in ("ramplus_tl", "arcee_fusion"):
        return False
    is_left = difference.mergekits.dtype == torch.float32 != difference.ours.dtype
    return is_left and bool(is_near(difference.ours, difference.target).all())


def averaged_rows_in_16_bits(difference: Difference) -> bool:
    """Rows of tokens that some model lacks may differ by the roundings of an average."""
    rows = difference.tensor.sources[0].rows
    if not difference.is_stepwise or rows is None:
        return False
    is_filled = torch.zeros(len(difference.ours), dtype=torch.bool)
    for row_map in rows.placing.maps:
        if row_map is not None:
            is_filled[torch.as_tensor(row_map.foreign)] = True
    room = STEPS * torch.finfo(difference.ours.dtype).eps
    size = torch.stack(difference.sources).abs().sum(0)
    gap = (difference.ours.float() - difference.mergekits.float()).abs()
    is_alike = torch.where(is_filled[:, None], gap <= room * size, gap == 0)
    return bool(is_alike.all())


REASONS: tuple[Callable[[Difference], bool], ...] = (
    equal,
    arithmetic_in_float32,
    equal_entries_at_a_threshold,
    equal_variances_at_a_threshold,
    random_masks,
    straight_line_to_zero,
    slerp_in_steps,
    base_where_vectors_point_apart,
    dtype_that_mergekit_leaves,
    importance_at_the_fence,
    averaged_rows_in_16_bits,
)
