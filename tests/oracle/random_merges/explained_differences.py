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
from tests.oracle.random_merges.thinned_vectors import AT_RANDOM, BY_MAGNITUDE

RTOL, ATOL = 1e-4, 2e-6  # those of the other comparisons in float32
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


def not_a_number_in_float16(difference: Difference) -> bool:
    """Of multislerp MergeKit's are all NaN where a vector is zero, as its 1e-8 is 0 in float16."""
    if difference.file.method != "multislerp" or difference.file.dtype != "float16":
        return False
    origin = difference.sources[0] if difference.tensor.has_base else torch.zeros(())
    parents = difference.sources[1:] if difference.tensor.has_base else difference.sources
    is_zero = any(torch.equal(parent.half(), (origin + 0 * parent).half()) for parent in parents)
    is_lost = is_zero and bool(difference.mergekits.isnan().all())
    return is_lost and bool(is_near(difference.ours, difference.target).all())


def arithmetic_in_float32(difference: Difference) -> bool:
    """Ours is what MergeKit has in float32, rounded once, by the last anchors at the end."""
    if difference.is_stepwise or difference.ours.dtype != difference.mergekits.dtype:
        return False
    if bool(difference.mergekits.isnan().any()):
        return False
    return bool(is_near(difference.ours, difference.target).all())


def arithmetic_in_float64(difference: Difference) -> bool:
    """Of karcher and arcee_fusion, ours is what MergeKit has in float64, rounded once.

    Of near models nothing is left in float32 of their angles, whose cosine is 1 - 1e-7, and of
    their divergences, which decide what arcee_fusion takes.
    """
    if difference.file.method not in ("karcher", "arcee_fusion"):
        return False
    return bool(is_near(difference.ours, difference.exact).all())


def restored_norms_in_16_bits(difference: Difference) -> bool:
    """MergeKit's sum of sizes is rounded to 16 bits, so that all entries may be some steps away.

    Of an election whose total is within these steps of 0 either sign may win.
    """
    if not difference.is_stepwise or difference.file.method not in (*AT_RANDOM, *BY_MAGNITUDE):
        return False
    thinned = difference.thinned
    if not thinned.restores:
        return False
    room = STEPS * torch.finfo(difference.merge.dtype).eps * thinned.size
    exact = thinned.child()
    return all(
        bool((((child.double() - exact).abs() <= room) | thinned.is_undecided).all())
        for child in (difference.ours, difference.mergekits)
    )


def equal_variances_at_a_threshold(difference: Difference) -> str | None:
    """Of sce, equal variances compete for the last places: ours takes those of lowest index.

    Which ones MergeKit takes is read from its child, and said.
    """
    share = difference.tensor.settings.tensor.get("select_topk", 1.0)
    if difference.file.method != "sce" or share == 1.0:
        return None
    base, *parents = difference.sources
    vectors = torch.stack([parent - base for parent in parents])
    variance = vectors.double().var(0, unbiased=False)
    number = max(1, int(share * int((variance > 0).sum())))
    threshold = float(variance.flatten().sort(descending=True).values[number - 1])
    is_open = (variance - threshold).abs() <= 1e-5 * threshold
    orders = []
    for child in (difference.ours, difference.target):
        is_moved = (child.float() - base).abs() > ATOL
        selected = torch.where(is_open, is_moved, variance > threshold)
        exact = reference(base, vectors * selected, select_topk=1.0)
        if int(selected.sum()) != number or not bool(is_near(child, exact).all()):
            return None
        orders.append(order_taken(selected[is_open]))
    ours, mergekits = orders
    return f"MergeKit takes {mergekits}" if ours == "the first" else None


def order_taken(is_selected: Tensor) -> str:
    """Return which of several equal entries were selected, by their order."""
    falling = is_selected.to(torch.int8).sort(descending=True).values
    if torch.equal(is_selected.to(torch.int8), falling):
        return "the first"
    return "the last" if torch.equal(is_selected.to(torch.int8), falling.flip(0)) else "others"


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


def dtype_that_mergekit_leaves(difference: Difference) -> bool:
    """Of ramplus_tl and arcee_fusion MergeKit writes float32, whatever the dtype; ours has it."""
    if difference.file.method not in ("ramplus_tl", "arcee_fusion"):
        return False
    is_left = difference.mergekits.dtype == torch.float32 != difference.ours.dtype
    return is_left and bool(is_near(difference.ours, difference.target).all())


def averaged_rows_in_16_bits(difference: Difference) -> bool:
    """Rows of tokens that some model lacks are averages; ours are rounded to the stored dtype.

    MergeKit's are summed and divided in the dtype of the merge. All other rows are alike.
    """
    rows = difference.tensor.sources[0].rows
    stored = getattr(torch, difference.file.stored)
    if rows is None or (stored == torch.float32 and not difference.is_stepwise):
        return False
    is_averaged = torch.zeros(len(difference.ours), dtype=torch.bool)
    averaged = torch.as_tensor(rows.placing.pool.averaged)
    for row_map in rows.placing.maps:
        if row_map is not None:
            is_taken = torch.isin(torch.as_tensor(row_map.pooled), averaged)
            is_averaged[torch.as_tensor(row_map.foreign)[is_taken]] = True
    if difference.is_stepwise:
        steps, other = float(STEPS), difference.mergekits
        is_alike = difference.ours == other
    else:
        steps, other = 1.0, difference.target
        is_alike = is_near(difference.ours, other)
    dtypes = [d for d in (stored, difference.ours.dtype) if d != torch.float32]
    room = steps * sum(torch.finfo(dtype).eps / 2 for dtype in dtypes) + RTOL
    gap = (difference.ours.double() - other.double()).abs()
    is_close = gap <= room * torch.stack(difference.sources).abs().sum(0)
    return bool((is_alike | (is_averaged[:, None] & is_close)).all())


# What one returns is true where it explains the difference; a text says how, in more words.
REASONS: tuple[Callable[[Difference], bool | str | None], ...] = (
    equal,
    not_a_number_in_float16,
    arithmetic_in_float32,
    dtype_that_mergekit_leaves,
    arithmetic_in_float64,
    restored_norms_in_16_bits,
    equal_variances_at_a_threshold,
    straight_line_to_zero,
    slerp_in_steps,
    base_where_vectors_point_apart,
    averaged_rows_in_16_bits,
)
