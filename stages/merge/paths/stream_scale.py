"""A factor of the stream before its first layer, folded into what writes it: the embeddings.

The stream s x is written by embeddings times s, or by their norm times s. A tied head then reads
s times too much, which the final norm takes back. Which tensors these are is tried on a small
random model of the architecture, against a model whose stream is multiplied as it runs.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from stages.checkpoint.model_config.config_reading import ties
from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.architecture.layout import Layout, layout_of
from stages.merge.paths.fold_check import PROBE, TOLERANCE, Trial
from stages.merge.paths.small_copy import trying
from stages.merge.plan.child_rows import ChildRow
from stages.merge.plan.plan import Fold

_SCALE = 0.6  # that is tried
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class StreamFold:
    """Which tensors before the layers carry the scale: with ``is_normed`` the embedding's norm.

    Else it is all of them, and a tied head has the scale too; ``has_offset`` says how the final
    norm that takes it back multiplies. None: there is no such norm.
    """

    is_normed: bool
    has_offset: bool | None = None

    def names(self, before: Shapes) -> list[str]:
        """Return the names, among the tensors that stand before the layers."""
        return [name for name, shape in before.items() if len(shape) == 1 or not self.is_normed]


def stream_folds(rows: Sequence[ChildRow], frame: Checkpoint, scale: float) -> dict[str, Fold]:
    """Return the folds of a child's tensors that multiply its stream by ``scale``.

    Raises:
        RecipeError: the architecture does not carry it; the message says why.
    """
    layout = layout_of(frame)
    outside = [r for r in rows if r.layer is None and r.module == layout.main and not r.is_copied]
    shapes = {row.name: frame.tensors[row.name].shape for row in outside}
    before = {row.name: shapes[row.name] for row in outside if row.is_before}
    after = {row.name: shapes[row.name] for row in outside if not row.is_before}
    fold = _fold_of(json.dumps(frame.config, sort_keys=True))
    folds = {name: Fold(scale) for name in fold.names(before)}
    has_own_head = any(name in layout.vocabulary for name in after)
    if fold.is_normed or has_own_head or not _is_tied(outside, frame):
        return folds
    if fold.has_offset is None:
        raise RecipeError(
            f"stream_scale is {scale:g}, and the head is tied to the embedding without a final "
            "norm that could take the scale back. Set it to 1."
        )
    return folds | _norm_folds(after, 1 / scale, has_offset=fold.has_offset)


def _is_tied(outside: Sequence[ChildRow], frame: Checkpoint) -> bool:
    return ties(frame.config) or any(row.key != row.name for row in outside)


def _norm_folds(after: Shapes, times: float, *, has_offset: bool) -> dict[str, Fold]:
    return {
        name: Fold(times, times - 1 if has_offset and not name.endswith("bias") else 0.0)
        for name, shape in after.items()
        if len(shape) == 1
    }


@lru_cache(maxsize=16)
def _fold_of(config: str) -> StreamFold:
    with trying():
        return _StreamTrial(json.loads(config)).fold()


class _StreamTrial(Trial):
    """A small model whose stream is multiplied, by its tensors or as it runs."""

    def fold(self) -> StreamFold:
        """Return which tensors carry a scale.

        Raises:
            RecipeError: none do what multiplying the stream does.
        """
        before, after = (self._outside(is_before=is_before) for is_before in (True, False))
        with self._loaded(self._tensors) as model:
            expected = self._output(model, _SCALE)
        for is_normed in (True, False):
            names = StreamFold(is_normed).names(before)
            folds = {name: Fold(_SCALE) for name in names}
            if names and self._gives(folds, expected):
                return StreamFold(is_normed, self._has_offset(folds, after, expected / _SCALE))
        raise RecipeError(
            f"model_type {self._name}: a scale of the stream cannot be folded into what stands "
            "before the layers of a small model of it. Set stream_scale to 1."
        )

    def _has_offset(
        self, folds: Mapping[str, Fold], after: Shapes, expected: Tensor
    ) -> bool | None:
        """Return whether the final norm multiplies by 1 + w; None where it takes nothing back."""
        for has_offset in (False, True):
            taken_back = _norm_folds(after, 1 / _SCALE, has_offset=has_offset)
            if taken_back and self._gives({**folds, **taken_back}, expected):
                return has_offset
        return None

    def _outside(self, *, is_before: bool) -> Shapes:
        layout: Layout = self._layout
        return {
            name: tuple(tensor.shape)
            for name, tensor in self._tensors.items()
            if layout.layer_of(name) is None and layout.is_before(name) == is_before
        }

    def _gives(self, folds: Mapping[str, Fold], expected: Tensor) -> bool:
        folded = {n: folds[n].of(t) if n in folds else t for n, t in self._tensors.items()}
        with self._loaded(folded) as model:
            actual = self._output(model, 1.0)
        return bool((actual - expected).abs().max() <= TOLERANCE * expected.abs().max())

    @torch.no_grad()
    def _output(self, model: nn.Module, scale: float) -> Tensor:
        """Return what leaves the final norm where the stream is multiplied before layer 0."""

        def times(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if args:
                return (args[0] * scale, *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": kwargs["hidden_states"] * scale}

        layer = self._layer(model, 0)
        handle = layer.register_forward_pre_hook(times, with_kwargs=True)
        try:
            output: Tensor = model(**PROBE).last_hidden_state
        finally:
            handle.remove()
        return output
