"""One tensor of both children, and what else MergeKit makes of the same file."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from stages.merge.arithmetic.stepwise_rounding import ROUNDED
from stages.merge.plan.plan import TensorPlan
from tests.oracle.random_merges.random_files import RandomFile
from tests.oracle.random_merges.thinned_vectors import ThinnedVectors
from tests.oracle.random_merges.two_sides import Child, Sides


@dataclass(frozen=True)
class Difference:
    """One tensor of both children, as the file asks for it; ``name`` is MergeKit's.

    ``sources`` are the tensor of each model in float32, the base's first if the method has one.
    """

    sides: Sides
    references: "References"
    tensor: TensorPlan
    name: str
    sources: list[Tensor]
    ours: Tensor
    mergekits: Tensor

    @property
    def file(self) -> RandomFile:
        """The random file."""
        return self.sides.file

    @property
    def shown(self) -> str:
        """Where the two differ, and how far, for a message."""
        gap = (self.ours.double() - self.mergekits.double()).abs()
        far = (self.ours.double() - self.target.double()).abs()
        return (
            f"{self.name}: {self.ours.dtype}, MergeKit {self.mergekits.dtype}; "
            f"{int((gap > 0).sum())} of {gap.numel()} entries differ by up to {float(gap.max())}, "
            f"by up to {float(far.max())} from float32; {self.tensor.settings}"
        )

    @property
    def is_stepwise(self) -> bool:
        """Whether ours rounds each step to 16 bits, as MergeKit does."""
        is_narrow = self.file.dtype != "float32"
        return self.file.is_compat and is_narrow and self.file.method in ROUNDED

    @cached_property
    def target(self) -> Tensor:
        """MergeKit's tensor in float32, with the last anchors at the end of the model."""
        if self.is_after_the_layers and not self.file.is_compat and self.references.has_gradients:
            return self.references.of_last_anchors.tensors[self.name]
        return self.references.in_float32.tensors[self.name]

    @property
    def is_after_the_layers(self) -> bool:
        """Whether it is the final norm or the head."""
        return not self.tensor.is_in_layer and "embed_tokens" not in self.tensor.name

    def thinned(self, dtype: torch.dtype, child: torch.dtype) -> ThinnedVectors:
        """The task vectors in a dtype, with what is open about their masks, for such a child."""
        return ThinnedVectors.of(self.sources, self.tensor, dtype, child)


@dataclass(frozen=True)
class References:
    """What MergeKit makes of the same file in float32, and with each gradient's last anchor.

    With a ``vocabulary`` the rows are where that has their tokens.
    """

    sides: Sides
    vocabulary: dict[str, int] | None

    @cached_property
    def has_gradients(self) -> bool:
        """Whether the file has a gradient."""
        gradients: list[object] = []

        def note(value: list[float]) -> list[float]:
            gradients.append(value)
            return value

        self.sides.file.changed(note)
        return bool(gradients)

    @cached_property
    def in_float32(self) -> Child:
        """MergeKit's child with its arithmetic in float32."""
        return self._of(self.sides.file.changed(lambda v: v, dtype="float32", out_dtype=None))

    @cached_property
    def of_last_anchors(self) -> Child:
        """The same with each gradient replaced by its last anchor."""
        last = self.sides.file.changed(lambda v: v[-1], dtype="float32", out_dtype=None)
        return self._of(last)

    def _of(self, file: RandomFile) -> Child:
        child = self.sides.mergekits(file, "reference")
        assert isinstance(child, Child), f"MergeKit in float32: {child}"
        return child.with_ids_of(self.vocabulary)
