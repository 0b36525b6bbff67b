"""Consensus task arithmetic: the sum, where enough parents need it."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.merge.strategies import merged, vectors


def test_entries_that_one_parent_needs_are_dropped() -> None:
    """At half the others' part 4 with 4 needs it, 1 with 4 does not, -1 with 2 just does."""
    first, second = torch.tensor([4.0, 4.0, 2.0]), torch.tensor([4.0, 1.0, -1.0])
    base = torch.ones(3)
    parents = [base + first, base + second]
    child = merged("consensus_ta", base, parents, weight=1.0, agreement=0.5)
    assert [9.0, 1.0, 2.0] == child.tolist()
    every = merged("consensus_ta", base, parents, weight=1.0, agreement=0.5, num_needing=1.0)
    assert [9.0, 6.0, 2.0] == every.tolist()
    scaled = merged("consensus_ta", base, parents, weight=1.0, agreement=0.5, scale=0.5)
    assert [5.0, 1.0, 1.5] == scaled.tolist()


def test_two_of_three_are_enough() -> None:
    """Of 3, 3 and -1 the first two are more than half of 2, the third less than half of 6."""
    tasks = [torch.tensor([value]) for value in (3.0, 3.0, -1.0)]
    zero = torch.zeros(1)
    assert [5.0] == merged("consensus_ta", zero, tasks, weight=1.0, agreement=0.5).tolist()
    all_three = merged("consensus_ta", zero, tasks, weight=1.0, agreement=0.5, num_needing=3.0)
    assert [0.0] == all_three.tolist()
    mean = merged("consensus_ta", zero, tasks, weight=2.0, agreement=0.5, normalize=1.0)
    assert torch.allclose(torch.tensor([5 / 3]), mean)


@given(
    tensors=vectors(4),
    agreement=st.sampled_from([0.0, 0.25, 0.5, 2.0]),
    num_needing=st.integers(0, 4),
)
def test_consensus_agrees_with_its_plain_twin(
    tensors: list[Tensor], agreement: float, num_needing: int
) -> None:
    """The child equals a twin that looks at one entry after another; the numbers are exact."""
    base, *parents = tensors
    weights = (0.5, 1.0, -0.25)
    child = merged(
        "consensus_ta",
        base,
        parents,
        weight=weights,
        agreement=agreement,
        num_needing=float(num_needing),
    )
    expected = []
    for i, value in enumerate(base.tolist()):
        parts = [w * (float(p[i]) - value) for w, p in zip(weights, parents, strict=True)]
        total = sum(parts)
        needing = sum(abs(part) >= agreement * abs(total - part) for part in parts)
        expected.append(value + total if needing >= num_needing else value)
    assert expected == child.tolist()
