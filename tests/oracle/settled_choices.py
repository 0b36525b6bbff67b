"""Runs under the oracle's Python: MergeKit's open choices, made as a caller says.

Two things are open in MergeKit's sparse methods: what torch's generator draws, and which of equal
magnitudes a sort puts first, which torch does not define. Here a draw is a mask that is given,
and of equal magnitudes the one of lowest index is the largest. The order of a union's tokens is
that of a hash table: here they are read by their ids. All else is MergeKit's own code, and the
chances that it wanted to draw with are kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor


class SettledChoices:
    """What stands for ``torch`` in MergeKit's sparsify.py.

    The file of choices has the mask of each tensor and model as ``mask TENSOR MODEL``, and as
    ``order TENSOR`` the order that decides between equals, where it is not that of the rows.
    """

    def __init__(self, path: str) -> None:
        self._given = load_file(path)
        self._name = ""
        self._drawn: Iterator[str] = iter(())
        self.chances: dict[str, Tensor] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def argsort(self, values: Tensor, dim: int = -1, *, descending: bool = False) -> Tensor:
        """Return the indices that sort values; of equals the lowest index is the largest."""
        order = self._given.get(f"order {self._name}")
        if order is None or values.dim() > 1:
            falling = torch.argsort(values, dim=dim, descending=True, stable=True)
        else:
            falling = order[torch.argsort(values[order], descending=True, stable=True)]
        return falling if descending else falling.flip(dim)

    def sort(self, values: Tensor, *, descending: bool) -> Any:
        """Return an object that has the indices of such a sort."""
        return SimpleNamespace(indices=self.argsort(values, descending=descending))

    def bernoulli(self, chance: Tensor) -> Tensor:
        """Return the mask that is given instead of a draw, and note its chance."""
        key = f"{self._name} {next(self._drawn)}"
        self.chances[key] = chance.clone()
        mask: Tensor = self._given[f"mask {key}"]
        return mask.reshape(chance.shape).to(chance.dtype)

    @contextmanager
    def take_effect(self) -> Iterator[None]:
        """Make the choices in every merge of a with block."""
        sparsify: Any = import_module("mergekit.sparsify")
        module: Any = import_module("mergekit.merge_methods.generalized_task_arithmetic")
        kind = module.GeneralizedTaskArithmeticMerge
        merge_group = kind.merge_group

        def noting(method: Any, group: Any, /, **parameters: Any) -> Tensor:
            self._name = group.metadata.name
            density = parameters["density"]
            self._drawn = iter(
                [str(entry.id.model.path) for entry in group.non_base if density[entry.id] < 1]
            )
            merged: Tensor = merge_group(method, group, **parameters)
            return merged

        tokenizer: Any = import_module("transformers").PreTrainedTokenizerFast
        get_vocab = tokenizer.get_vocab

        def ordered(reader: Any) -> dict[str, int]:
            return dict(sorted(get_vocab(reader).items(), key=lambda item: item[1]))

        kind.merge_group, sparsify.torch, tokenizer.get_vocab = noting, self, ordered
        try:
            yield
        finally:
            kind.merge_group, sparsify.torch, tokenizer.get_vocab = merge_group, torch, get_vocab
