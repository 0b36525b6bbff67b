"""WUDI-Merging: gradient descent on the interference, in closed form."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.arithmetic.singular_values import least_interference
from tests.merge.strategies import merged


def _random(*shape: int, seed: int) -> Tensor:
    """Return a matrix of independent normal entries."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_tasks_on_one_input_get_their_mean() -> None:
    """On one input the loss is |M - T_1|^2 + |M - T_2|^2: its least is at the mean, in a step."""
    base = torch.ones(3, 1)
    first, second = torch.tensor([[2.0], [4.0], [0.0]]), torch.tensor([[0.0], [2.0], [8.0]])
    parents = [base + first, base + second]
    child = merged("wudi", base, parents, num_steps=1.0)
    assert torch.allclose(base + torch.tensor([[1.0], [3.0], [4.0]]), child, atol=1e-6)
    weighed = merged("wudi", base, parents, weight=(3.0, 1.0), scale=2.0)
    assert torch.allclose(base + torch.tensor([[3.0], [7.0], [4.0]]), weighed, atol=1e-6)


def test_tasks_on_different_inputs_get_their_sum() -> None:
    """Where no task reads what another reads nothing interferes, and the sum is the least."""
    first, second = torch.tensor([[1.0, 0.0], [2.0, 0.0]]), torch.tensor([[0.0, 3.0], [0.0, -1.0]])
    child = merged("wudi", torch.zeros(2, 2), [first, second])
    assert torch.allclose(first + second, child, atol=1e-6)


def test_a_step_goes_as_far_as_its_curvature() -> None:
    """One task reads the first input at weight 1/2, two the second at 1: curvatures 1/2 and 2.

    The sum is (2, 6). The second input's least is the mean of 4 and 2, and one step reaches it;
    the first's is 4, and the step goes a quarter of the way from 2.
    """
    tasks = [torch.tensor([[4.0, 0.0]]), torch.tensor([[0.0, 4.0]]), torch.tensor([[0.0, 2.0]])]
    for num_steps, first, second in ((0.0, 2.0, 6.0), (1.0, 2.5, 3.0), (2.0, 2.875, 3.0)):
        child = merged(
            "wudi", torch.zeros(1, 2), tasks, weight=(0.5, 1.0, 1.0), num_steps=num_steps
        )
        assert torch.allclose(torch.tensor([[first, second]]), child, atol=1e-6)


@given(
    num_rows=st.integers(1, 6),
    num_columns=st.integers(1, 6),
    seed=st.integers(0, 99),
    num_steps=st.integers(0, 40),
)
def test_closed_form_is_gradient_descent(
    num_rows: int, num_columns: int, seed: int, num_steps: int
) -> None:
    """The result is that of the steps, taken one by one in a twin."""
    matrices = [_random(num_rows, num_columns, seed=100 * seed + i) for i in range(3)]
    weights = [1.0, 0.5, 0.25]
    merged_vector = least_interference(matrices, weights, num_steps=num_steps).double().numpy()
    expected = _descended([m.double().numpy() for m in matrices], weights, num_steps)
    assert np.allclose(expected, merged_vector, rtol=1e-4, atol=1e-4)


def _descended(
    tasks: list[NDArray[np.float64]], weights: list[float], num_steps: int
) -> NDArray[np.float64]:
    """Return the sum of the tasks after steps of one over the greatest curvature."""
    merged_vector = np.sum([w * t for w, t in zip(weights, tasks, strict=True)], axis=0)
    inner = [w * t.T @ t / np.sum(t * t) for w, t in zip(weights, tasks, strict=True)]
    greatest = np.linalg.eigvalsh(np.sum(inner, axis=0))[-1]
    for _ in range(num_steps):
        slope = np.sum(
            [(merged_vector - t) @ g for t, g in zip(tasks, inner, strict=True)], axis=0
        )
        merged_vector = merged_vector - slope / greatest
    return np.asarray(merged_vector)


@pytest.mark.parametrize("shape", [(5, 8), (8, 5)])
def test_more_steps_interfere_less(shape: tuple[int, int]) -> None:
    """The loss of the paper falls with the number of steps."""
    matrices = [_random(*shape, seed=i) for i in range(3)]
    losses = []
    for num_steps in (0, 1, 10, 100, 1000):
        merged_vector = least_interference(matrices, [1.0] * 3, num_steps=num_steps)
        parts = [((merged_vector - t) @ t.T).square().sum() / t.square().sum() for t in matrices]
        losses.append(float(sum(parts)))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]
