"""The generators' state: it is now's until one of them is drawn from, and again when restored."""

import random
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch

from stages.evaluate.own_python.random_state import RandomState, kept

DRAWS: dict[str, Callable[[ModuleType], object]] = {
    "python": lambda _: random.random(),
    "numpy": lambda _: np.random.random(),  # noqa: NPY002  the global one, as tasks use it
    "torch": lambda _: torch.rand(1),
    "own python": lambda own: own.python.random(),
    "own numpy": lambda own: own.numpy.random(),
    "own legacy numpy": lambda own: own.legacy.random(),
    "own torch": lambda own: torch.rand(1, generator=own.torch),
}


@pytest.mark.parametrize("generator", DRAWS)
def test_state_is_now_until_a_generator_is_drawn_from(generator: str) -> None:
    """One draw of any generator shows, and restoring the state takes it back."""
    own = ModuleType("own")
    vars(own).update(
        python=random.Random(1),
        numpy=np.random.default_rng(1),
        legacy=np.random.RandomState(1),
        torch=torch.Generator(),
    )
    with kept():
        state = RandomState.now([own])
        assert state.is_now()
        DRAWS[generator](own)
        assert not state.is_now()
        state.restore()
        assert state.is_now()
