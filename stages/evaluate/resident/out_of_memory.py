"""What to do where a batch does not fit the memory: its halves, one after the other."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, Self, TypeVar

import torch

from stages.errors import EvaluationError


class Divisible(Protocol):
    """Rows that can be run together or in two halves."""

    @property
    def items(self) -> Sequence[str]:
        """The item of each row, or of its first request."""

    def split(self) -> tuple[Self, Self]:
        """Return the halves."""


B = TypeVar("B", bound=Divisible)
T = TypeVar("T")
# Beside torch.OutOfMemoryError: the CPU's allocator, CUDA's libraries and MPS raise RuntimeError.
_SHORT = ("can't allocate memory", "not enough memory", "out of memory")


def in_halves(batch: B, run: Callable[[B], T]) -> Iterator[tuple[B, T]]:
    """Yield ``batch`` and what ``run`` gives for it, or the same of its halves if memory is short.

    A row's logits may differ in the last bits with the batch that it is in. So which batch is
    halved may change log-likelihoods by rounding; it does not depend on time.

    Raises:
        EvaluationError: a single row does not fit.
    """
    waiting = [batch]
    while waiting:
        part = waiting.pop()
        done = _tried(part, run)
        if done:
            yield part, done[0]
            continue
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(part.items) < 2:
            raise EvaluationError(
                f"{part.items[0]}: does not fit the memory, though it is alone in its batch. Take "
                "shorter items, fewer evaluate.workers, or a dtype of 16 bits in "
                "evaluate.model_args."
            ) from MemoryError("on this machine")  # so that no candidate is blamed for it
        first, second = part.split()
        waiting += [second, first]


def _tried(part: B, run: Callable[[B], T]) -> tuple[T] | None:
    """Return what ``run`` gives, or None where the memory was not enough for it.

    The error is gone when this returns: its traceback holds what filled the memory.
    """
    try:
        return (run(part),)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    return None


def is_out_of_memory(error: Exception) -> bool:
    """Return whether ``error`` says that memory is short, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _SHORT)
