"""Seed Python's, NumPy's and torch's generators as lm-eval's command line does.

Tasks draw from them where they shuffle choices or vary prompts. The draws are the same in every
process, and other code in the process draws what it would have drawn without the task.
"""

import contextlib
import copy
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch

_KINDS = (random.Random, np.random.Generator, np.random.RandomState, torch.Generator)


@dataclass(frozen=True, slots=True)
class RandomState:
    """The state of the generators: the three global ones, and a task's ``own``."""

    shared: tuple[Any, ...]
    own: tuple[tuple[Any, Any], ...] = ()  # (generator, its state)

    @classmethod
    def now(cls, modules: Iterable[ModuleType] = ()) -> "RandomState":
        """Return the present state, including that of the generators in ``modules``."""
        shared = (random.getstate(), _numpy_state(), torch.get_rng_state())
        return cls(shared, tuple((one, _state_of(one)) for one in _generators(modules)))

    def restore(self) -> None:
        """Set all of them to this state."""
        python, numpy, torch_state = self.shared
        random.setstate(python)
        np.random.set_state(copy.deepcopy(numpy))  # noqa: NPY002  the global one, as tasks use it
        torch.set_rng_state(torch_state)
        for generator, state in self.own:
            _set_state(generator, state)

    def is_now(self) -> bool:
        """Return whether nothing was drawn since."""
        own = [_state_of(one) for one, _ in self.own]
        return _is_same([self.shared, [s for _, s in self.own]], [RandomState.now().shared, own])


@contextlib.contextmanager
def seeded() -> Iterator[None]:
    """Run the block with the seeds of lm-eval's command line, and restore the generators."""
    from lm_eval.defaults import DEFAULT_OTHER_SEED, DEFAULT_RANDOM_SEED

    with kept():
        random.seed(DEFAULT_RANDOM_SEED)  # noqa: TID251  tasks draw from the global generators
        np.random.seed(DEFAULT_OTHER_SEED)  # noqa: NPY002  as above
        torch.default_generator.manual_seed(DEFAULT_OTHER_SEED)
        yield


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Run the block, and restore the global generators."""
    before = RandomState.now()
    try:
        yield
    finally:
        before.restore()


def _is_same(one: Any, other: Any) -> bool:
    """Return whether two states are equal: nested containers of numbers, arrays and tensors."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_is_same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)


def _numpy_state() -> Any:
    return np.random.get_state(legacy=False)  # noqa: NPY002  the global one, as tasks use it


def is_generator(value: Any) -> bool:
    """Return whether ``value`` is a generator whose state can be read and set."""
    return isinstance(value, _KINDS) and not isinstance(value, random.SystemRandom)


def _generators(modules: Iterable[ModuleType]) -> list[Any]:
    """Return the generators that modules, classes and functions' defaults hold, each once."""
    by_id: dict[int, Any] = {}
    for module in modules:
        for value in list(vars(module).values()):
            for one in (value, *_held(value, module)):
                if is_generator(one):
                    by_id[id(one)] = one
    return list(by_id.values())


def _held(value: Any, module: ModuleType) -> tuple[Any, ...]:
    if getattr(value, "__module__", None) != module.__name__:
        return ()
    if isinstance(value, type):
        return tuple(vars(value).values())
    defaults = getattr(value, "__defaults__", None) or ()
    return (*defaults, *(getattr(value, "__kwdefaults__", None) or {}).values())


def _state_of(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, np.random.Generator):
        return copy.deepcopy(generator.bit_generator.state)
    state = generator.get_state()
    return state.clone() if isinstance(state, torch.Tensor) else copy.deepcopy(state)


def _set_state(generator: Any, state: Any) -> None:
    if isinstance(generator, random.Random):
        generator.setstate(state)
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    else:
        generator.set_state(state)
