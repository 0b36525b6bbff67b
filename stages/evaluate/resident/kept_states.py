"""Hidden states of given tokens, kept for the next child where it begins with the same layers.

Children of one generation are paths that often begin alike. What their first layers make of the
tokens of a log-likelihood is the same then, bit for bit, and is not computed again. The model's
own forward pass runs nevertheless, so embeddings, masks and positions are its own: a layer that
need not run passes on what it gets, and the last of them gives what was kept.
"""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from stages.evaluate.resident.token_batches import TokenBatch

MAX_BYTES = 1 << 29  # of what is kept in a process
_PROBE = [[3, 1, 4, 1, 5, 9, 2, 6]]


@dataclass(slots=True)
class _States:
    """What is kept of a batch: after how many layers, of the child with these contents."""

    batch: object  # kept, so that no other object gets its id
    contents: Sequence[Hashable] = ()
    after: dict[int, Tensor] = field(default_factory=dict)
    child: int = 0  # the number of the child that was last scored on it

    @property
    def num_bytes(self) -> int:
        """The size of what is kept."""
        return sum(states.nbytes for states in self.after.values())


class KeptStates:
    """Keeps hidden states of each batch, after every layer or after every few of them.

    A model that does more between its layers than pass on one tensor is found by a small probe,
    and nothing is kept for it.
    """

    def __init__(self, model: Any, max_bytes: int = MAX_BYTES) -> None:
        self._model = model
        self._max_bytes = max_bytes
        self._layers: Sequence[nn.Module] = ()
        self._contents: Sequence[Hashable] = ()
        self._by_batch: dict[int, _States] = {}
        self._distance = 1  # between layers after which states are kept
        self._child = 0
        self._may_skip: bool | None = None
        self.num_skipped = 0  # layers that did not run

    @property
    def num_bytes(self) -> int:
        """The size of all that is kept."""
        return sum(states.num_bytes for states in self._by_batch.values())

    def follow(self, layers: Sequence[nn.Module], contents: Sequence[Hashable]) -> None:
        """Take note of the child in the model: its layers, and what they hold.

        The first of ``contents`` is for what stands before the layers. Equal contents must compute
        equal bits.
        """
        if self._may_skip is None:
            self._may_skip = bool(layers) and self._skips_unseen(layers)
        self._layers, self._contents = layers, contents if self._may_skip else ()
        self._child += 1

    @contextmanager
    def of(self, batch: TokenBatch) -> Iterator[None]:
        """Let the model read ``batch`` once, without the layers whose states are kept."""
        if not self._contents:
            yield
            return
        states = self._by_batch.pop(id(batch), None) or _States(batch)
        same = _num_same(states.contents, self._contents)
        after = {num: kept for num, kept in states.after.items() if num < same}
        num_skipped = max(after, default=0)
        self.num_skipped += num_skipped
        with (
            _skipping(self._layers[:num_skipped], after.get(num_skipped)),
            _recording(self._layers, num_skipped, self._distance, after),
        ):
            yield
        self._by_batch[id(batch)] = _States(batch, self._contents, after, self._child)
        self._make_room()

    def _make_room(self) -> None:
        """Drop states of batches that this child was not scored on, then of every other layer."""
        kept = self._by_batch
        while self.num_bytes > self._max_bytes:
            oldest = next(iter(kept))
            if kept[oldest].child < self._child or self._distance > len(self._layers):
                del kept[oldest]
                continue
            self._distance *= 2
            for states in kept.values():
                states.after = {n: s for n, s in states.after.items() if n % self._distance == 0}

    @torch.no_grad()
    def _skips_unseen(self, layers: Sequence[nn.Module]) -> bool:
        """Return whether the model gives the same bits, however many first layers do not run."""
        config = self._model.config.get_text_config()
        if getattr(config, "num_kv_shared_layers", 0):
            return False  # later layers read what earlier ones leave in a cache
        tokens = torch.tensor(_PROBE, device=next(self._model.parameters()).device)

        def logits() -> Tensor:
            output: Tensor = self._model(input_ids=tokens, use_cache=False).logits
            return output

        after: dict[int, Tensor] = {}
        try:
            with _recording(layers, 0, 1, after):
                expected = logits()
            for num in range(1, len(layers) + 1):
                with _skipping(layers[:num], after[num]):
                    if not torch.equal(logits(), expected):
                        return False
        except (AttributeError, KeyError, IndexError, RuntimeError, TypeError, ValueError):
            return False
        return True


def _num_same(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Return how many entries two sequences begin with that are the same."""
    pairs = zip(one, other, strict=False)
    least = min(len(one), len(other))
    return next((i for i, (first, second) in enumerate(pairs) if first != second), least)


@contextmanager
def _skipping(layers: Sequence[nn.Module], states: Tensor | None) -> Iterator[None]:
    """Let these layers not run; the last of them gives ``states``."""

    def unchanged(hidden: Tensor, *_: object, **__: object) -> Tensor:
        return hidden

    def kept(*_: object, **__: object) -> Tensor | None:
        return None if states is None else states.clone()

    try:
        for layer in layers:
            layer.forward = kept if layer is layers[-1] else unchanged
        yield
    finally:
        for layer in layers:
            layer.__dict__.pop("forward", None)


@contextmanager
def _recording(
    layers: Sequence[nn.Module], num_skipped: int, distance: int, after: dict[int, Tensor]
) -> Iterator[None]:
    """Put into ``after`` what leaves the layers that run, by how many have run by then."""

    def recorder(num: int) -> Any:
        def record(_: nn.Module, __: object, output: Tensor) -> None:
            after[num] = output.clone()

        return record

    with ExitStack() as hooks:
        for num, layer in enumerate(layers, start=1):
            if num > num_skipped and num % distance == 0:
                hooks.callback(layer.register_forward_hook(recorder(num)).remove)
        yield
