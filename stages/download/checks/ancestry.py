"""Check by the weights whether parents are fine-tunes of the base.

A fine-tune stays close to its base: of the models that were measured
(docs/architectures.md) the least correlation of a matrix with the base's is 0.98. Matrices of
models that were trained apart are not correlated at all. This shows a base that is not the
ancestor, and a parent of another family. One measurement alone never ends a run, as the user
may want it so; two that contradict each other do.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from stages.checkpoint.reader import Checkpoint

SAMPLE = 4096  # entries of a matrix: the correlation of unrelated ones is then 0 ± 0.016
UNRELATED = 0.1  # largest correlation, either way, that counts as none; more in small matrices
RELATED = 0.5  # least correlation, in the middle, of models of one family
NEARLY_ALL = 0.9  # share of the matrices that must be unrelated
FAR = 0.5  # length of a task vector, in lengths of the base's matrix, that is worth a note

Samples = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Kinship:
    """What two models have in common.

    ``correlation`` and ``distance`` are those of the matrix in the middle; ``distance`` is the
    length of their difference in lengths of the first one's matrix. ``num_unrelated`` of
    ``num_matrices`` are not correlated, ``num_changed`` differ.
    """

    correlation: float
    distance: float
    num_unrelated: int
    num_changed: int
    num_matrices: int

    @property
    def is_none(self) -> bool:
        """Whether they have nothing in common, nearly everywhere."""
        return self.num_unrelated >= NEARLY_ALL * self.num_matrices > 0

    @property
    def is_close(self) -> bool:
        """Whether one can come from the other, or both from a third."""
        return self.correlation >= RELATED


def samples_of(model: Checkpoint) -> dict[str, Tensor]:
    """Return evenly spaced entries of each matrix: the same indices in all models."""
    return {
        name: _sample(tensor)
        for name, info in model.tensors.items()
        if len(info.shape) > 1 and (tensor := model.read(name)).is_floating_point()
    }


def judged(base: Samples, parents: Mapping[str, Samples]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the impossible and the odd parents: by name, a sentence that says why."""
    to_base = {name: kinship(base, samples) for name, samples in parents.items()}
    impossible, odd = {}, {}
    for name, relation in to_base.items():
        others = [other for other in parents if other != name]
        children = [o for o in others if to_base[o].is_close and to_base[o].num_changed]
        kin = [o for o in others if kinship(parents[name], parents[o]).is_close]
        if relation.is_none and (children or kin):
            impossible[name] = _contradiction(relation, children, kin)
        elif note := _oddity(relation):
            odd[name] = note
    return impossible, odd


def kinship(one: Samples, other: Samples) -> Kinship:
    """Return what two models have in common, in the matrices that both have in one shape."""
    rows = [
        compared
        for name in sorted({*one} & {*other})
        if one[name].shape == other[name].shape and (compared := _compared(one[name], other[name]))
    ]
    if not rows:
        return Kinship(math.nan, math.nan, 0, 0, 0)
    return Kinship(
        median(correlation for correlation, _, _ in rows),
        median(distance for _, distance, _ in rows),
        sum(is_unrelated for _, _, is_unrelated in rows),
        sum(distance > 0 for _, distance, _ in rows),
        len(rows),
    )


def _compared(one: Tensor, other: Tensor) -> tuple[float, float, bool] | None:
    """Return correlation, distance, and whether they are unrelated; None for zero matrices."""
    lengths = float(one.norm()), float(other.norm())
    if 0.0 in lengths:
        return None
    correlation = float(one @ other) / math.prod(lengths)
    chance = max(UNRELATED, 4 / math.sqrt(one.numel()))
    return correlation, float((other - one).norm()) / lengths[0], abs(correlation) < chance


def _sample(tensor: Tensor) -> Tensor:
    flat = tensor.reshape(-1)
    # An odd step, so that the places do not all lie in one column.
    step = max(1, flat.numel() // SAMPLE) | 1
    return flat[::step].to(torch.float32, copy=True)


def _contradiction(relation: Kinship, children: Sequence[str], kin: Sequence[str]) -> str:
    return " ".join(
        (
            _nothing(relation),
            f"Yet {children[0]} is a fine-tune of the base, so this one belongs to another model. "
            "Take it out of params.yaml."
            if children
            else f"Yet it and {kin[0]} have one ancestor, which is therefore another model. Name "
            "that one as download.base.",
        )
    )


def _oddity(relation: Kinship) -> str | None:
    if relation.is_none:
        return (
            f"{_nothing(relation)} Methods that use task vectors need a base from which the "
            "parents were trained."
        )
    if relation.num_changed == 0 < relation.num_matrices:  # few may have been trained
        return "has the base's matrices: its task vector is zero, or in norms and biases alone."
    if relation.distance > FAR:
        return (
            f"is far from the base: the task vector of the matrix in the middle is "
            f"{relation.distance:.2f} times as long as the base's matrix. Check that it was "
            "trained from this base."
        )
    return None


def _nothing(relation: Kinship) -> str:
    return (
        f"has nothing in common with the base: {relation.num_unrelated} of "
        f"{relation.num_matrices} matrices are not correlated with the base's."
    )
