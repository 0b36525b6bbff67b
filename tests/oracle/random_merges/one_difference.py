"""One tensor of both children, and what else MergeKit makes of the same file."""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from stages.merge.plan.plan import TensorPlan
from tests.oracle.random_merges.random_files import RandomFile
from tests.oracle.random_merges.settled_merges import SettledMerge, of_another
from tests.oracle.random_merges.thinned_vectors import (
    AT_RANDOM,
    ThinnedVectors,
    masks_by_magnitude,
    task_vectors,
)


@dataclass(frozen=True)
class Difference:
    """One tensor of both children, as the file asks for it; ``name`` is MergeKit's.

    ``merge`` is MergeKit's of the file, with our choices, which made ``mergekits``.
    ``sources`` are the tensor of each model in float32, the base's first if the method has one.
    """

    merge: SettledMerge
    references: "References"
    tensor: TensorPlan
    name: str
    sources: list[Tensor]
    ours: Tensor
    mergekits: Tensor

    @property
    def file(self) -> RandomFile:
        """The random file."""
        return self.merge.file

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
        return self.file.is_stepwise

    @cached_property
    def reference(self) -> SettledMerge:
        """MergeKit's merge in float32, with the last anchors at the end of the model."""
        if self.is_after_the_layers and not self.file.is_compat and self.references.has_gradients:
            return self.references.of_last_anchors
        return self.references.in_float32

    @cached_property
    def target(self) -> Tensor:
        """The tensor in that merge."""
        return self.reference.child.tensors[self.name]

    @cached_property
    def exact(self) -> Tensor:
        """MergeKit's tensor in float64."""
        return self.references.in_float64.child.tensors[self.name]

    @property
    def is_after_the_layers(self) -> bool:
        """Whether it is the final norm or the head."""
        return not self.tensor.is_in_layer and "embed_tokens" not in self.tensor.name

    @property
    def compared(self) -> SettledMerge:
        """The merge whose child ours must be, but for one rounding."""
        return self.merge if self.is_stepwise else self.reference

    @cached_property
    def thinned(self) -> ThinnedVectors:
        """The task vectors as they are thinned in that merge."""
        merge = self.compared
        if self.file.method in AT_RANDOM:
            masks = merge.masks(self.name)
        else:
            masks = masks_by_magnitude(task_vectors(self.sources, merge.dtype), self.tensor)
        return ThinnedVectors.of(self.sources, masks, self.tensor, merge.dtype)


@dataclass(frozen=True)
class References:
    """What MergeKit makes of the same file in wider arithmetic, or with last anchors."""

    merge: SettledMerge

    @cached_property
    def has_gradients(self) -> bool:
        """Whether the file has a gradient."""
        gradients: list[object] = []

        def note(value: list[float]) -> list[float]:
            gradients.append(value)
            return value

        self.merge.file.changed(note)
        return bool(gradients)

    @cached_property
    def in_float32(self) -> SettledMerge:
        """The file with MergeKit's arithmetic in float32."""
        return self._in("float32")

    @cached_property
    def in_float64(self) -> SettledMerge:
        """The same in float64."""
        return self._in("float64")

    @cached_property
    def of_last_anchors(self) -> SettledMerge:
        """The same in float32 with each gradient replaced by its last anchor."""
        file = self.merge.file.changed(lambda v: v[-1], dtype="float32", out_dtype=None)
        return of_another(self.merge, file)

    def _in(self, dtype: str) -> SettledMerge:
        file = self.merge.file.changed(lambda v: v, dtype=dtype, out_dtype=None)
        return of_another(self.merge, file)
