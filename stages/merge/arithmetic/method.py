"""What a merge method is: a spec, and a kernel that gives any range of a child's entries.

A method looks at one tensor at a time. ``prepare`` may read all of it for statistics; the kernel
that it returns then gives entries ``start`` to ``stop`` of the flattened child in float32, with
the same bits however the range is divided. So kernels use only multiplications, additions,
divisions, comparisons and selections, entry by entry: each is rounded as IEEE 754 says, with or
without SIMD and on any number of threads.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.merge.arithmetic.array_cache import Memo
from stages.merge.arithmetic.thresholds import Magnitudes
from stages.recipe.method_spec import MethodSpec
from stages.seeds import at_most, random_bytes

Kernel = Callable[[int, int], Tensor]
_NO_BASE = "this merge has no base: the method's spec should say needs_base"
BLOCK = 1 << 20  # elements per read where a method needs statistics of a whole tensor: 4 MiB


@dataclass(frozen=True, slots=True)
class Settings:
    """The parameters of one rule, complete and legal: numbers per tensor or parent, and names.

    ``choice`` holds those whose value is one of several names.
    """

    tensor: Mapping[str, float] = field(default_factory=dict)
    parent: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    choice: Mapping[str, str] = field(default_factory=dict)


class Sources:
    """One tensor of the base and of each parent: flattened, read in float32.

    ``size`` is the number of entries, and ``row_length`` how many of them one index of the first
    dimension holds; a vector or a scalar is one row.
    ``is_in_layer`` is false for embeddings, final norm and head, which are outside the layers.

    ``streams`` are the keys of the parents' random numbers for this tensor. ``memo`` keeps arrays
    for the next candidate, under ``identities``: one for each parent's task vector.
    With ``zero_is_across`` a vector of zeros is at right angles to every other, as in MergeKit;
    otherwise it has no direction.
    """

    zero_is_across = False

    def __init__(
        self,
        base: Tensor | None,
        parents: Sequence[Tensor],
        streams: Sequence[int] = (),
        *,
        memo: Memo | None = None,
        identities: Sequence[Hashable] = (),
        is_in_layer: bool = True,
    ) -> None:
        self._base = None if base is None else _flat(base)
        self._parents = [_flat(parent) for parent in parents]
        self.streams = streams
        self._memo = memo
        self._identities = identities
        self.shape = tuple(parents[0].shape)
        self.size = parents[0].numel()
        rows = self.shape[0] if len(self.shape) > 1 else 1
        self.row_length = self.size // rows if rows else self.size
        self.num_parents = len(parents)
        self.has_base = base is not None
        self.is_in_layer = is_in_layer
        self._base_range: tuple[int, int, Tensor] | None = None

    def base(self, start: int, stop: int) -> Tensor:
        """Return a range of the base; a view of the mapped file, so never write to it."""
        if self._base is None:
            raise TypeError(_NO_BASE)
        latest = self._base_range  # each parent's task vector reads the same range
        if latest is None or latest[:2] != (start, stop):
            latest = (start, stop, self._base[start:stop].to(torch.float32))
            self._base_range = latest
        return latest[2]

    def parent(self, index: int, start: int, stop: int) -> Tensor:
        """Return a range of a parent; a view of the mapped file, so never write to it."""
        return self._parents[index][start:stop].to(torch.float32)

    def task_vector(self, index: int, start: int, stop: int) -> Tensor:
        """Return a range of parent - base."""
        return self.parent(index, start, stop) - self.base(start, stop)

    def parent_sample(self, index: int, parts: int, length: int) -> Tensor:
        """Return the first ``length`` entries of each of ``parts`` equal parts, a row for each."""
        return _starts(self._parents[index], parts, length)

    def task_vector_sample(self, index: int, parts: int, length: int) -> Tensor:
        """Return the same of parent - base."""
        if self._base is None:
            raise TypeError(_NO_BASE)
        return self.parent_sample(index, parts, length) - _starts(self._base, parts, length)

    def magnitudes(self, index: int) -> Magnitudes:
        """Return the magnitudes of a parent's task vector, computed when they are read."""

        def read(start: int, stop: int) -> NDArray[np.float32]:
            magnitudes: NDArray[np.float32] = self.task_vector(index, start, stop).abs_().numpy()
            return magnitudes

        def sample(parts: int, length: int) -> NDArray[np.float32]:
            vector = self.task_vector_sample(index, parts, length)
            magnitudes: NDArray[np.float32] = vector.abs_().reshape(-1).numpy()
            return magnitudes

        return Magnitudes(self.size, read, sample)

    def sorted_magnitudes(self, index: int) -> NDArray[np.float32] | None:
        """Return the magnitudes in ascending order, or None if the cache has no room for them."""
        if self._memo is None:
            return None
        name = ("sorted magnitudes", self._identities[index])
        if not self._memo.has_room(name, self.size * 4):
            return None
        return self._memo.get(name, lambda: np.sort(self.magnitudes(index).read(0, self.size)))

    def drawn(
        self,
        index: int,
        start: int,
        stop: int,
        highest: NDArray[np.uint32],
        order: Tensor | None = None,
    ) -> NDArray[np.bool_]:
        """Return where a parent's random words for a range are at most ``highest``.

        The words are uniform in 0 to 2^32 - 1, and each depends on the recipe's seed, the parent's
        hash, the tensor's name and the entry's index alone. With ``order``, indices into each row,
        the range is of whole rows and its entries are taken in that order; ``highest`` may then
        have one value for each rank in the order.
        """
        first = torch.from_numpy(self._first_bytes(index, start, stop))
        if order is None:
            return at_most(self.streams[index], first.numpy(), highest, lambda at: start + at)
        first = first.view(order.shape).gather(1, order)
        flat, length = order.view(-1).numpy(), order.shape[1]

        def indices_of(at: NDArray[np.int64]) -> NDArray[np.int64]:
            indices: NDArray[np.int64] = start + at // length * length + flat[at]
            return indices

        return at_most(self.streams[index], first.numpy(), highest, indices_of)

    def _first_bytes(self, index: int, start: int, stop: int) -> NDArray[np.uint8]:
        stream = self.streams[index]
        if self._memo is None or not self._memo.has_room(stream, self.size):
            return random_bytes(stream, start, stop - start)
        return self._memo.get(stream, lambda: random_bytes(stream, 0, self.size))[start:stop]


def _flat(tensor: Tensor) -> Tensor:
    return tensor if tensor.dim() == 1 else tensor.reshape(-1)


def _starts(flat: Tensor, parts: int, length: int) -> Tensor:
    step = flat.numel() // parts
    return flat[: parts * step].view(parts, step)[:, :length].to(torch.float32)


def _accept(_settings: Settings, _num_parents: int) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Method:
    """A merge method; ``fault`` says why it cannot carry out settings for a number of parents.

    Its settings lie within the spec's bounds; it returns None if they are legal together.

    With ``is_entrywise`` an entry of the child depends only on the settings and on the models'
    entries at its index: not on the tensor's name, shape, size or random words. Neighbouring
    tensors may then be given to ``prepare`` as one vector, without streams or a memo.
    """

    spec: MethodSpec
    prepare: Callable[[Sources, Settings], Kernel]
    fault: Callable[[Settings, int], str | None] = _accept
    is_entrywise: bool = False
