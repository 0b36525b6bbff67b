"""Hidden states of given tokens, kept for the next child where it begins with the same layers.

Children of one generation are paths that often begin alike. What their first layers make of the
tokens of a log-likelihood, or of a prompt, is the same then, bit for bit, and is not computed
again. The model's own forward pass runs nevertheless, so embeddings, masks and positions are its
own: a layer that need not run passes on what it gets, and the last of them gives what was kept.
Where a text follows, the keys and values of these layers are put into the cache.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

MAX_BYTES = 1 << 29  # of what is kept in a process
_PROBE = [[3, 1, 4, 1, 5, 9, 2, 6]]
Pair = tuple[Tensor, Tensor]


@dataclass(slots=True)
class _States:
    """What is kept of a batch: after how many layers, of the child with these contents."""

    batch: object  # kept, so that no other object gets its id
    contents: Sequence[Hashable] = ()
    after: dict[int, Tensor] = field(default_factory=dict)
    pairs: dict[int, Pair] = field(default_factory=dict)  # keys and values of each layer
    child: int = 0  # the number of the child that was last scored on it

    @property
    def num_bytes(self) -> int:
        """The size of what is kept."""
        pairs = (tensor for pair in self.pairs.values() for tensor in pair)
        return sum(tensor.nbytes for tensor in (*self.after.values(), *pairs))

    def thinned(self, distance: int) -> None:
        """Keep the states after every ``distance`` layers, and the keys and values before them."""
        self.after = {num: kept for num, kept in self.after.items() if num % distance == 0}
        num_layers = max(self.after, default=0)
        self.pairs = {layer: pair for layer, pair in self.pairs.items() if layer < num_layers}


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
        self._may_fill = False  # a cache, too
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
            self._may_fill = self._may_skip and self._fills_unseen(layers)
        self._layers, self._contents = layers, contents if self._may_skip else ()
        self._child += 1

    @contextmanager
    def of(self, batch: object, cache: Any = None) -> Iterator[None]:
        """Let the model read ``batch`` once, without the layers whose states are kept.

        With a ``cache`` it is the first pass of a generation, which fills it.
        """
        if not self._contents or not (cache is None or (self._may_fill and _is_plain(cache))):
            yield
            return
        states = self._by_batch.pop(id(batch), None) or _States(batch)
        same = _num_same(states.contents, self._contents)
        after = {num: kept for num, kept in states.after.items() if num < same}
        num_skipped = max(after, default=0)
        pairs = {layer: pair for layer, pair in states.pairs.items() if layer < num_skipped}
        self.num_skipped += num_skipped
        with (
            _skipping(self._layers[:num_skipped], after.get(num_skipped), pairs, cache),
            _recording(self._layers, num_skipped, self._distance, after),
        ):
            yield
        if cache is not None:
            for layer in range(num_skipped, len(self._layers)):
                pairs[layer] = (cache.layers[layer].keys, cache.layers[layer].values)
        kept = _States(batch, self._contents, after, pairs, self._child)
        kept.thinned(self._distance)
        self._by_batch[id(batch)] = kept
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
                states.thinned(self._distance)

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

    @torch.no_grad()
    def _fills_unseen(self, layers: Sequence[nn.Module]) -> bool:
        """Return whether a text goes on with the same bits where layers read no prompt."""
        trial = KeptStates(self._model)
        trial._layers, trial._may_fill = layers, True
        config, depth = self._model.config.get_text_config(), len(layers)
        tokens = torch.tensor(_PROBE, device=next(self._model.parameters()).device)
        expected: list[Tensor] = []
        try:
            for num_same in (depth, depth, depth // 2, 1):
                trial._contents = [min(num, num_same + 1) for num in range(depth + 1)]
                cache = DynamicCache(config=config)
                with trial.of(tokens, cache):
                    first = self._model(input_ids=tokens, past_key_values=cache).logits
                second = self._model(input_ids=tokens[:, :1], past_key_values=cache).logits
                expected = expected or [first, second]
                if not all(map(torch.equal, expected, [first, second])):
                    return False
        except (AttributeError, KeyError, IndexError, RuntimeError, TypeError, ValueError):
            return False
        return True


def _is_plain(cache: Any) -> bool:
    """Return whether a cache holds keys and values of all tokens, and nothing else."""
    return isinstance(cache, DynamicCache) and all(
        type(layer) is DynamicLayer for layer in cache.layers
    )


def _num_same(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Return how many entries two sequences begin with that are the same."""
    pairs = zip(one, other, strict=False)
    least = min(len(one), len(other))
    return next((i for i, (first, second) in enumerate(pairs) if first != second), least)


@contextmanager
def _skipping(
    layers: Sequence[nn.Module],
    states: Tensor | None,
    pairs: Mapping[int, Pair] | None = None,
    cache: Any = None,
) -> Iterator[None]:
    """Let these layers not run; the last of them gives ``states``, each fills the cache."""

    def passed(number: int) -> Any:
        def run(hidden: Tensor, *_: object, **__: object) -> Tensor:
            if cache is not None and pairs is not None:
                cache.update(*pairs[number], number)
            is_last = number == len(layers) - 1
            return states.clone() if is_last and states is not None else hidden

        return run

    try:
        for number, layer in enumerate(layers):
            layer.forward = passed(number)
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
