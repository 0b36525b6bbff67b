"""Merges rounded as MergeKit rounds them: each step in the files' dtype, not once at the end.

The steps are those of MergeKit 0.1.5. A step's result is found in float32 and rounded to the
dtype, as PyTorch does with bfloat16 and float16 on a CPU; sums over models are rounded once, at
their end. For a method that thins out task vectors, the method itself does that to one rounded
task vector at a time.

Not reproduced: masks of random methods, which come from our generator; which of equal entries
TIES keeps; the L1 norms of ``rescale``, which are found in float64. This takes more memory and
time than merging without it.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from stages.merge.arithmetic.method import Kernel, Method, Settings, Sources
from stages.merge.arithmetic.weighted_sums import MIN_SUM

ELECTING = ("ties", "dare_ties", "breadcrumbs_ties", "della")
ADDING = ("task_arithmetic", "dare_linear", "breadcrumbs", "della_linear")
# Their arithmetic is in float32 there, too: what is read, and the result, are rounded.
AS_THEY_ARE = ("slerp", "passthrough")
ROUNDED = ("linear", *AS_THEY_ARE, *ADDING, *ELECTING)
# On arcs a vector of zeros, as of a tensor that a fine-tune left alone, is at right angles there.
ON_ARCS = ("slerp", "nuslerp")
IMITATED = tuple(dict.fromkeys((*ROUNDED, *ON_ARCS)))


def in_dtype(method: Method, dtype: str) -> Method:
    """Return the method with MergeKit's rounding to ``dtype`` (its name in torch).

    A method that is not in ``IMITATED`` is returned as it is.
    """
    name, kind = method.spec.name, getattr(torch, dtype)
    if name not in IMITATED:
        return method

    def prepare(sources: Sources, settings: Settings) -> Kernel:
        rounding = _Rounding(sources, kind)
        sources.zero_is_across = name in ON_ARCS
        if name not in ROUNDED:
            return method.prepare(sources, settings)
        if name == "linear":
            return rounding.linear(settings)
        if name in AS_THEY_ARE:
            kernel = method.prepare(rounding.whole(), settings)
            return lambda start, stop: rounding.round(kernel(start, stop))
        vectors = rounding.sparse(method, settings)
        return rounding.sum_on_base(settings, vectors, elects=name in ELECTING)

    return replace(method, prepare=prepare)


class _One(Sources):
    """A tensor on a base of zeros, or several without a base, with one parent's random words."""

    def __init__(self, inner: Sources, tensors: Sequence[Tensor], index: int | None) -> None:
        shaped = [tensor.reshape(inner.shape) for tensor in tensors]
        base = None if index is None else torch.zeros_like(shaped[0])
        streams = inner.streams if index is None else inner.streams[index : index + 1]
        super().__init__(base, shaped, streams)


class _Rounding:
    """Steps of merges of one tensor, each rounded to a dtype; values are float32 throughout."""

    def __init__(self, sources: Sources, dtype: torch.dtype) -> None:
        self._sources = sources
        self._dtype = dtype

    def round(self, tensor: Tensor) -> Tensor:
        """Return a tensor rounded to the dtype, in float32."""
        return tensor.to(self._dtype).to(torch.float32)

    def whole(self) -> Sources:
        """Return the parents, rounded, without the base."""
        read, size = self._sources.parent, self._sources.size
        parents = [read(i, 0, size).to(self._dtype) for i in range(self._sources.num_parents)]
        whole = _One(self._sources, parents, None)
        whole.zero_is_across = self._sources.zero_is_across
        return whole

    def linear(self, settings: Settings) -> Kernel:
        """Return the kernel of the weighted sum, divided at its end, then rounded.

        A product is added without being rounded first, as a fused multiply-add does; in float64
        it is exact.
        """
        weights = torch.tensor(settings.parent["weight"], dtype=torch.float32)
        normalizes = settings.tensor["normalize"] == 1.0

        def kernel(start: int, stop: int) -> Tensor:
            total = torch.zeros(stop - start)
            for index, weight in enumerate(weights.double()):
                parent = self.round(self._sources.parent(index, start, stop))
                total = (total.double() + parent.double() * weight).float()
            return self.round(total.div_(weights.sum()) if normalizes else total)

        return kernel

    def sparse(self, method: Method, settings: Settings) -> dict[int, Kernel]:
        """Return the kernel of each task vector as the method thins it out, alone and unscaled."""
        kernels = {}
        for index, weight in enumerate(settings.parent["weight"]):
            if weight == 0.0:
                continue
            vector = _One(self._sources, [self._task_vector(index)], index)
            own = {name: (values[index],) for name, values in settings.parent.items()}
            tensor = {**settings.tensor, "normalize": 0.0, "scale": 1.0}
            alone = replace(settings, tensor=tensor, parent={**own, "weight": (1.0,)})
            kernels[index] = method.prepare(vector, alone)
        return kernels

    def sum_on_base(
        self, settings: Settings, vectors: dict[int, Kernel], *, elects: bool
    ) -> Kernel:
        """Return the kernel of base + scale x sum of weight x vector, of the elected signs."""
        weights = self._numbers([settings.parent["weight"][index] for index in vectors])
        normalizes, scale = settings.tensor["normalize"] == 1.0, settings.tensor["scale"]

        def kernel(start: int, stop: int) -> Tensor:
            base = self.round(self._sources.base(start, stop))
            if not vectors:
                return base
            read = [self.round(vector(start, stop)) for vector in vectors.values()]
            terms = self._products(read, weights)
            total, divisor = (
                self._elected(terms, weights) if elects else self._plain(terms, weights)
            )
            if normalizes:
                total = self.round(total / divisor)
            if scale != 1.0:
                total = self.round(total * scale)
            return self.round(base + total)

        return kernel

    def _plain(self, terms: Sequence[Tensor], weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        divisor = self._summed(weights)
        return self._summed(terms), torch.where(divisor.abs() < MIN_SUM, 1.0, divisor)

    def _elected(
        self, terms: Sequence[Tensor], weights: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        sign = torch.where(self._summed(terms) >= 0, 1.0, -1.0)
        masks = [(term.sign() == sign).to(torch.float32) for term in terms]
        total = self._summed([term * mask for term, mask in zip(terms, masks, strict=True)])
        divisor = self._summed([mask * w for mask, w in zip(masks, weights, strict=True)])
        return total, torch.where(divisor == 0, 1.0, divisor)

    def _task_vector(self, index: int) -> Tensor:
        size = self._sources.size
        parent, base = self._sources.parent(index, 0, size), self._sources.base(0, size)
        return (self.round(parent) - self.round(base)).to(self._dtype)

    def _numbers(self, values: Sequence[float]) -> list[Tensor]:
        return [self.round(torch.tensor(value, dtype=torch.float64)) for value in values]

    def _products(self, tensors: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor]:
        return [self.round(t * w) for t, w in zip(tensors, weights, strict=True)]

    def _summed(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return the sum of tensors in float32, in their order, rounded at the end."""
        total = tensors[0].clone()
        for tensor in tensors[1:]:
            total += tensor
        return self.round(total)
