"""MergeKit's child with the choices that are open there made as ours are."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from stages.merge.plan.plan import Plan, TensorPlan
from tests.oracle.random_merges.joined_experts import joined, joined_sources, members
from tests.oracle.random_merges.random_files import RandomFile
from tests.oracle.random_merges.thinned_vectors import (
    AT_RANDOM,
    BY_MAGNITUDE,
    drawn_masks,
    sources_of,
)
from tests.oracle.random_merges.two_sides import ROWS_OF_TOKENS, Child, Sides

Vocabulary = dict[str, int]
TRIES = 3  # of a union, whose tokens MergeKit takes in the order of a hash table


@dataclass(frozen=True)
class _Made:
    """MergeKit's child, and with which chances it wanted to draw."""

    child: Child
    chances: dict[str, Tensor]


@dataclass(frozen=True)
class SettledMerge:
    """One file as MergeKit carries it out with our choices; ``natural`` is its child without.

    ``dtype`` is that of its task vectors. With our vocabulary its rows are where ours are.
    """

    sides: Sides
    file: RandomFile
    natural: Child | None
    names: tuple[str, ...]
    dtype: torch.dtype
    ours: Vocabulary | None
    mergekits: Vocabulary | None

    @property
    def child(self) -> Child:
        """MergeKit's child, its rows where ours are."""
        return self._made.child.with_ids_of(self.ours)

    @cached_property
    def _made(self) -> "_Made":
        is_open = self.file.method in (*AT_RANDOM, *BY_MAGNITUDE)
        vocabulary, noted = self.mergekits, dict[str, Tensor]()
        child: Child | str
        for _ in range(TRIES):
            if is_open:
                choices = self._choices(vocabulary)
                child, noted = self.sides.settled(self.file, choices)
            else:
                child = self.natural or self.sides.mergekits(self.file, "settled")
            assert isinstance(child, Child), f"MergeKit with our choices: {child}"
            if not is_open or self.ours is None or child.vocabulary == vocabulary:
                return _Made(child, noted)
            vocabulary = child.vocabulary
        raise AssertionError("MergeKit gives the tokens of a union other ids each time.")

    def masks(self, name: str) -> Tensor:
        """Return which entries are kept of each task vector of a tensor of MergeKit's."""
        masks = [
            [drawn_masks(self.plan, tensor, self.dtype) for tensor in expert]
            for expert in self.plans(name)
        ]
        return masks[0][0] if len(masks) == len(masks[0]) == 1 else joined(masks, axis=1)

    def noted_chances(self, name: str) -> dict[int, Tensor]:
        """Return with which chances MergeKit wanted to draw, by the number of the parent."""
        models = self._folders(self.plans(name)[0][0])
        noted = {i: self._made.chances.get(f"{name} {model}") for i, model in enumerate(models)}
        rows = self._rows(name, self._made.child.vocabulary)
        back = None if rows is None else rows.argsort()
        return {
            i: chance if back is None else chance[back]
            for i, chance in noted.items()
            if chance is not None
        }

    def plans(self, name: str) -> list[list[TensorPlan]]:
        """Return our plans of what a tensor of MergeKit's holds: a list for each expert."""
        tensors = {tensor.name: tensor for tensor in self.plan.tensors}
        return [[tensors[n] for n in expert] for expert in members(name, tensors)]

    def sources(self, name: str) -> list[Tensor]:
        """Return a tensor of each model, the base first, in float32, as MergeKit joins them."""
        plans = self.plans(name)
        is_single = len(plans) == len(plans[0]) == 1
        return (
            sources_of(self.plan, plans[0][0]) if is_single else joined_sources(self.plan, plans)
        )

    @cached_property
    def plan(self) -> Plan:
        """Our plan of the file."""
        return self.sides.plan_of(self.file)

    def _choices(self, vocabulary: Vocabulary | None) -> dict[str, Tensor]:
        choices: dict[str, Tensor] = {}
        for name in self.names:
            rows = self._rows(name, vocabulary)
            if self.file.method in AT_RANDOM:
                for model, mask in zip(
                    self._folders(self.plans(name)[0][0]), self.masks(name), strict=True
                ):
                    placed = mask if rows is None else mask[rows]
                    choices[f"mask {name} {model}"] = placed.to(torch.uint8).contiguous()
            elif rows is not None:
                width = self.sources(name)[0][0].numel()
                index = torch.arange(len(rows) * width).view(-1, width)
                choices[f"order {name}"] = index[rows.argsort()].flatten()
        return choices

    def _rows(self, name: str, vocabulary: Vocabulary | None) -> Tensor | None:
        """Return which of our rows each of MergeKit's is, where tokens have other places."""
        if self.ours is None or vocabulary is None or not name.startswith(ROWS_OF_TOKENS):
            return None
        tokens = sorted(vocabulary, key=vocabulary.__getitem__)
        return torch.tensor([self.ours[token] for token in tokens])

    def _folders(self, tensor: TensorPlan) -> list[str]:
        models = [self.plan.models[source.model] for source in tensor.sources[1:]]
        return [str(model.folder) for model in models]


def settled(
    sides: Sides, natural: Child, dtype: torch.dtype, vocabulary: Vocabulary | None
) -> SettledMerge:
    """Return the merge of the file itself, by the names and tokens of MergeKit's own child."""
    names = tuple(natural.tensors)
    mergekits = None if vocabulary is None else natural.vocabulary
    return SettledMerge(sides, sides.file, natural, names, dtype, vocabulary, mergekits)


def of_another(merge: SettledMerge, file: RandomFile) -> SettledMerge:
    """Return the same of a changed file, with its task vectors in float32."""
    return replace(merge, file=file, natural=None, dtype=torch.float32)
