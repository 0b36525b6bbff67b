"""Run a batch that does not fit the memory as its halves, one after the other."""

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
# Besides torch.OutOfMemoryError: the CPU's allocator, CUDA's libraries and MPS raise RuntimeError.
_SHORT = ("can't allocate memory", "not enough memory", "out of memory")


def in_halves(batch: B, run: Callable[[B], T]) -> Iterator[tuple[B, T]]:
    """Yield ``batch`` and the result of ``run``, or the same for its halves if memory is short.

    The last bits of a row's logits may depend on its batch. So halving a batch may change
    log-likelihoods by rounding, but it does not depend on time.

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
    """Return the result of ``run``, or None where it ran out of memory.

    The error must be gone when this returns: its traceback holds what filled the memory.
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
