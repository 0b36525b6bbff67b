"""Numbers worked by hand for every method."""

import math
from typing import Any

import numpy as np
import torch

from stages.merge.arithmetic.thresholds import in_memory
from stages.merge.methods import METHODS
from stages.merge.methods.arcee_fusion import fence_of
from stages.seeds import key, random_bytes
from tests.merge.strategies import merged

BASE = torch.tensor([1.0, 1.0, 1.0, 1.0])
FIRST = torch.tensor([2.0, 0.0, 1.5, 1.0])  # task vector 1, -1, 0.5, 0
SECOND = torch.tensor([3.0, 4.0, 0.0, 1.25])  # task vector 2, 3, -1, 0.25
# Of the 16-bit Philox words of the key of [0, "a", "x"], those below 2^15, by NumPy alone.
DARE_MASK = [2, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]


def _child(name: str, **values: Any) -> list[float]:
    """Return what a method makes of the two parents above."""
    base = BASE if METHODS[name].spec.needs_base else None
    return list(merged(name, base, [FIRST, SECOND], **values).tolist())


def test_linear_is_the_weighted_mean() -> None:
    """(1 x first + 3 x second) / 4, and the plain sum where it is not normalised."""
    assert [2.75, 3.0, 0.375, 1.1875] == _child("linear", weight=(1.0, 3.0))
    assert [11.0, 12.0, 1.5, 4.75] == _child("linear", weight=(1.0, 3.0), normalize=0.0)


def test_task_arithmetic_adds_weighted_task_vectors() -> None:
    """Base + 0.5 x first task vector + 1 x second."""
    assert [3.5, 3.5, 0.25, 1.25] == _child("task_arithmetic", weight=(0.5, 1.0))
    doubled = _child("task_arithmetic", weight=(0.5, 1.0), scale=2.0)
    assert [6.0, 6.0, -0.5, 1.5] == doubled


def test_task_arithmetic_normalizes_unless_the_weights_cancel() -> None:
    """Weights 1 and 1 halve the sum; weights 1 and -1, which sum to 0, are used as they are."""
    assert [2.5, 2.0, 0.75, 1.125] == _child("task_arithmetic", weight=1.0, normalize=1.0)
    cancelled = _child("task_arithmetic", weight=(1.0, -1.0), normalize=1.0)
    assert [0.0, -3.0, 2.5, 0.75] == cancelled


def test_ties_averages_who_agrees() -> None:
    """Signs elected are +, +, -, +: entry 0 is a mean of two, the others of one."""
    assert [2.5, 4.0, 0.0, 1.25] == _child("ties", weight=1.0)
    assert [4.0, 4.0, 0.0, 1.25] == _child("ties", weight=1.0, normalize=0.0)


def test_ties_keeps_the_largest() -> None:
    """Density 0.5 keeps 1 and -1 of the first, 2 and 3 of the second; -1 is outvoted."""
    assert [2.5, 4.0, 1.0, 1.0] == _child("ties", weight=1.0, density=0.5)


def test_ties_breaks_an_equal_magnitude_by_the_lowest_index() -> None:
    """Of 1, -1 and 1 a density that keeps two keeps the first two."""
    base, parent = torch.zeros(3), torch.tensor([1.0, -1.0, 1.0])
    child = merged("ties", base, [parent], weight=1.0, density=0.67)
    assert [1.0, -1.0, 0.0] == child.tolist()


def test_ties_keeps_at_least_one_entry() -> None:
    """A density that would keep no entry of a short tensor keeps its largest one."""
    child = merged(
        "ties", torch.zeros(3), [torch.tensor([1.0, -3.0, 2.0])], weight=1.0, density=0.1
    )
    assert [0.0, -3.0, 0.0] == child.tolist()


def test_ties_elects_plus_where_votes_cancel() -> None:
    """Task vectors 1 and -1 sum to 0, so the positive one enters the child."""
    child = merged("ties", torch.zeros(1), [torch.tensor([-1.0]), torch.tensor([1.0])], weight=1.0)
    assert [1.0] == child.tolist()


def test_dare_linear_rescales_what_it_keeps() -> None:
    """At density 0.5 each entry of a task vector of ones is 0 or 2, as its random word says."""
    parent = torch.ones(12)
    child = merged("dare_linear", torch.zeros(12), [parent], weight=1.0, density=0.5, keys=["a"])
    assert DARE_MASK == [int(value) for value in child.tolist()]


def test_dare_ties_elects_among_what_is_kept() -> None:
    """Where the mask keeps the second parent's -1 it meets the first's 0, and wins."""
    zeros, parent = torch.zeros(12), -torch.ones(12)
    child = merged("dare_ties", zeros, [zeros, parent], weight=1.0, density=0.5, keys=["b", "a"])
    assert DARE_MASK == [-int(value) for value in child.tolist()]


def test_slerp_keeps_to_the_arc() -> None:
    """Half-way between perpendicular unit vectors lies the unit vector at 45 degrees."""
    x, y = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    root = math.sqrt(0.5)
    assert torch.allclose(torch.tensor([root, root]), merged("slerp", None, [x, y], t=0.5))
    third = merged("slerp", None, [x, 2 * y], t=1 / 3)
    assert torch.allclose(torch.tensor([math.cos(math.pi / 6), 1.0]), third)


def test_slerp_takes_a_straight_line_where_there_is_no_arc() -> None:
    """Parallel, opposite and zero vectors are interpolated linearly."""
    x = torch.tensor([1.0, 2.0])
    assert [1.5, 3.0] == merged("slerp", None, [x, 2 * x], t=0.5).tolist()
    assert [0.5, 1.0] == merged("slerp", None, [x, -x], t=0.25).tolist()
    assert [0.75, 1.5] == merged("slerp", None, [x, 0 * x], t=0.25).tolist()


def test_passthrough_copies() -> None:
    """Source 1 is the second parent."""
    assert SECOND.tolist() == _child("passthrough", source=1.0)


def test_breadcrumbs_drops_largest_and_smallest() -> None:
    """Of five magnitudes gamma 0.2 drops the largest, density 0.4 keeps the next two."""
    parent = torch.tensor([5.0, -4.0, 3.0, -2.0, 1.0])
    child = merged("breadcrumbs", torch.zeros(5), [parent], weight=2.0, density=0.4, gamma=0.2)
    assert [0.0, -8.0, 6.0, 0.0, 0.0] == child.tolist()


def test_breadcrumbs_keeps_small_tensors_and_gamma_zero() -> None:
    """Where gamma drops no entry, because it is 0 or there are few, the largest are kept."""
    parent = torch.tensor([5.0, -4.0, 3.0, -2.0, 1.0])
    for gamma in (0.0, 0.01):
        child = merged(
            "breadcrumbs", torch.zeros(5), [parent], weight=1.0, density=0.4, gamma=gamma
        )
        assert [5.0, -4.0, 0.0, 0.0, 0.0] == child.tolist()


def test_breadcrumbs_keeps_the_density_before_it_drops_the_largest() -> None:
    """Density 0.8 of five entries leaves one to drop: gamma 0.6 drops the largest alone."""
    parent = torch.tensor([5.0, -4.0, 3.0, -2.0, 1.0])
    child = merged("breadcrumbs", torch.zeros(5), [parent], weight=1.0, density=0.8, gamma=0.6)
    assert [0.0, -4.0, 3.0, -2.0, 1.0] == child.tolist()


def test_breadcrumbs_ties_elects_among_what_is_kept() -> None:
    """Without their largest the parents hold 0, -1, 0.5 and 2, 0, -1: plus, minus, minus."""
    first, second = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([2.0, 3.0, -1.0])
    child = merged(
        "breadcrumbs_ties", torch.zeros(3), [first, second], weight=1.0, density=0.67, gamma=0.34
    )
    assert [2.0, -1.0, -1.0] == child.tolist()


def test_della_keeps_the_large_sooner() -> None:
    """Chances 0.3, 0.5 and 0.7 by magnitude, met by DARE's words: each kept entry over its own."""
    parent = torch.tensor([[3.0, 1.0, -2.0], [1.0, -3.0, 2.0], [2.0, 1.0, 3.0], [1.0, 2.0, 3.0]])
    child = merged(
        "della_linear",
        torch.zeros(4, 3),
        [parent],
        weight=1.0,
        density=0.5,
        epsilon=0.2,
        keys=["a"],
    )
    words = random_bytes(key(0, "a", "x"), 0, 12) / 2**8
    chances = parent.abs().flatten() * 0.2 + 0.1
    expected = [
        float(entry / chance) if word < chance else 0.0
        for entry, chance, word in zip(parent.flatten(), chances, words, strict=True)
    ]
    assert torch.allclose(torch.tensor(expected), child.flatten())
    assert 0 < int((child != 0).sum()) < 12


def test_della_elects_among_what_is_kept() -> None:
    """Where the mask keeps the second parent's entries they meet the first's 0, and win."""
    zeros, parent = torch.zeros(2, 6), -torch.ones(2, 6)
    values: dict[str, Any] = {"weight": 1.0, "density": 0.5, "epsilon": 0.0}
    child = merged("della", zeros, [zeros, parent], keys=["b", "a"], **values)
    assert DARE_MASK == [-int(value) for value in child.flatten().tolist()]


def test_model_stock_stops_where_the_paper_says() -> None:
    """Task vectors at 60 degrees: cos 1/2, so t is 2/3 for two and 3/4 for three."""
    root = math.sqrt(3)
    x, y = torch.tensor([2.0, 0.0]), torch.tensor([1.0, root])
    child = merged("model_stock", torch.zeros(2), [x, y])
    assert torch.allclose(torch.tensor([1.0, root / 3]), child)
    base = torch.tensor([1.0, 1.0, 1.0])
    corners = [base + 3 * torch.tensor(c) for c in ([1.0, 1, 0], [1.0, 0, 1], [0.0, 1, 1])]
    assert torch.allclose(base + 1.5, merged("model_stock", base, corners))


def test_model_stock_takes_rows_by_themselves() -> None:
    """Filter-wise, a row on which the parents agree takes their mean, one at 90 degrees none."""
    first, second = torch.tensor([[1.0, 2.0], [4.0, 0.0]]), torch.tensor([[3.0, 6.0], [0.0, 2.0]])
    child = merged("model_stock", torch.zeros(2, 2), [first, second], filter_wise=1.0)
    assert torch.allclose(torch.tensor([[2.0, 4.0], [0.0, 0.0]]), child)


def test_model_stock_is_the_base_where_the_parents_oppose() -> None:
    """Opposite and zero task vectors, where the equation divides by 0, give the base."""
    base, x = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 1.0])
    assert [1.0, 2.0] == merged("model_stock", base, [base + x, base - x]).tolist()
    assert [1.0, 2.0] == merged("model_stock", base, [base, base]).tolist()


def test_model_stock_refuses_a_single_parent() -> None:
    """One task vector has no angle: the spec asks for two parents, so plans refuse one."""
    assert 2 == METHODS["model_stock"].spec.min_parents


def test_nearswap_moves_by_t_at_most() -> None:
    """Gaps 1, 4, -1.5 and 0.25 become 1, 1.25, -1.25 and 0.25, the small ones bit for bit."""
    assert [3.0, 1.25, 0.25, 1.25] == _child("nearswap", t=1.25)
    assert FIRST.tolist() == _child("nearswap", t=0.0)
    assert SECOND.tolist() == _child("nearswap", t=4.0)


def test_nearswap_is_its_published_formula() -> None:
    """Weight min(t / distance, 1) for the second parent gives the same child."""
    weight = (1.25 / (FIRST - SECOND).abs()).clamp(max=1)
    expected = weight * SECOND + (1 - weight) * FIRST
    assert torch.allclose(expected, torch.tensor(_child("nearswap", t=1.25)))


def test_sce_weighs_by_energy_and_erases_minorities() -> None:
    """Task vectors 3, 1, 1 and 1, 3, -2: energies 11 and 14, and the last sum elects minus."""
    base, first, second = torch.zeros(3), torch.tensor([3.0, 1, 1]), torch.tensor([1.0, 3, -2])
    child = merged("sce", base, [first, second])
    expected = torch.tensor([(33 + 14) / 25, (11 + 42) / 25, -2.0])
    assert torch.allclose(expected, child)


def test_sce_selects_what_varies_most() -> None:
    """Of variances 0, 1, 4 and 2.25 half of the three that are not 0 is one: the third entry."""
    first, second = torch.tensor([2.0, 1, 4, 3]), torch.tensor([2.0, 3, 8, 6])
    child = merged("sce", torch.zeros(4), [first, second], select_topk=0.5)
    assert torch.allclose(torch.tensor([0.0, 0.0, (4 * 16 + 8 * 64) / 80, 0.0]), child)


def test_sce_keeps_the_shape_of_tensors_that_do_not_vary() -> None:
    """Where the parents are equal, or hold the base, the child has their values and shape."""
    base, parent = torch.ones(2, 3), torch.full((2, 3), 3.0)
    for tensor in (base, parent):
        child = merged("sce", base, [tensor, tensor], select_topk=0.1)
        assert (2, 3) == tuple(child.shape)
        assert torch.equal(tensor, child)


def test_ram_adds_what_is_unique_and_averages_what_is_shared() -> None:
    """Alone 4 and -2 are added whole; 2 and 4 are averaged; 0.5 is not a change at epsilon 0.5."""
    first, second = torch.tensor([4.0, 2.0, 0.5, 0.0]), torch.tensor([0.5, 4.0, 0.0, -2.0])
    child = merged("ram", torch.zeros(4), [first, second], epsilon=0.5)
    assert [4.0, 3.0, 0.0, -2.0] == child.tolist()


def test_ramplus_enlarges_what_is_unique() -> None:
    """One shared, two or one alone: overlaps 0.5 and 1, of which 0.75 counts, by r 0.5."""
    first, second = torch.tensor([4.0, 2.0, 8.0, 0.0]), torch.tensor([0.0, 4.0, 0.0, -2.0])
    values: dict[str, Any] = {"epsilon": 0.5, "r": 0.5, "alpha": 0.75}
    child = merged("ramplus_tl", torch.zeros(4), [first, second], **values)
    assert [5.0, 3.0, 10.0, -2.75] == child.tolist()
    plain = merged("ram", torch.zeros(4), [first, second], epsilon=0.5)
    values["r"] = 0.0
    assert torch.equal(plain, merged("ramplus_tl", torch.zeros(4), [first, second], **values))


def test_ramplus_without_unique_entries_is_ram() -> None:
    """Parents that share all their entries have an overlap of 1 / 0: they are averaged as ever."""
    child = merged("ramplus_tl", BASE, [BASE + 1, BASE + 3])
    assert (BASE + 2).tolist() == child.tolist()


def test_fence_is_the_median_and_three_half_ranges() -> None:
    """Of 0 to 8 the quartiles are 2, 4 and 6, so the fence is 10; of one number, that number."""
    assert 10.0 == fence_of(in_memory(np.arange(9, dtype=np.float32)[::-1]))
    assert 3.0 == fence_of(in_memory(np.full(1, 3, dtype=np.float32)))
    assert 9.0 == fence_of(in_memory(np.arange(8, dtype=np.float32)))  # 3 + 1.5 x (5 - 1)


def test_arcee_fusion_takes_outliers_alone() -> None:
    """Of eight distances in a row that of 2 is beyond the fence; equal rows stay the first."""
    first = torch.zeros(2, 8)
    gaps = [0.1, 0.2, 0.1, 0.2, 2.0, 0.1, 0.2, 0.1]
    second = torch.tensor([gaps, [0.0] * 8])
    child = merged("arcee_fusion", None, [first, second])
    importance = torch.tensor(gaps) * float(
        (second[0].softmax(0) * (second[0].log_softmax(0) - math.log(1 / 8))).sum()
    )
    fence = np.sort(torch.cat([importance, torch.zeros(8)]).numpy())
    least = fence[7] + 1.5 * (fence[11] - fence[3])
    expected = torch.where(importance >= least, second[0], first[0])
    assert 0 < int((expected != 0).sum()) < 8
    assert [expected.tolist(), [0.0] * 8] == child.tolist()
