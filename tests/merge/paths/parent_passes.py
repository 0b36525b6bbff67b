"""A path's literal forward pass, made of its parents' own: no child's config has a part in it.

Each hop runs the whole parent with the stream put in before the layer and taken out behind it, so
masks, positions and rotations are those that the parent gives its layer.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tests.merge.paths.literal_pass import TOKENS


def layers_of(model: PreTrainedModel, depth: int) -> nn.ModuleList:
    """Return the layers of a model."""
    lists = (m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == depth)
    return next(lists)


class ParentPasses:
    """Runs single layers of a parent, and what it does before its first and behind its last."""

    def __init__(self, model: PreTrainedModel, depth: int) -> None:
        self.model = model
        self._layers = layers_of(model, depth)

    def start(self) -> Tensor:
        """Return the stream that enters the first layer."""
        entering: list[Tensor] = []
        self._run(0, lambda hidden: entering.append(hidden.clone()) or hidden)  # type: ignore[func-returns-value]
        return entering[0]

    def through(self, layer: int, entering: Tensor) -> Tensor:
        """Return the stream that leaves a layer where ``entering`` enters it."""
        return self._run(layer, lambda _: entering)

    def end(self, leaving: Tensor, first: PreTrainedModel) -> Tensor:
        """Return the logits of a stream that leaves the last layer.

        A head that is tied has the embedding of the model that the path begins with.
        """

        def replace(_: nn.Module, __: Any, output: Any) -> Any:
            return leaving if isinstance(output, Tensor) else (leaving, *output[1:])

        embedding, head = self.model.get_input_embeddings(), self.model.get_output_embeddings()
        own = embedding.weight.clone()
        if head is not None and head.weight.data_ptr() == embedding.weight.data_ptr():
            embedding.weight.copy_(first.get_input_embeddings().weight)
        handle = self._layers[-1].register_forward_hook(replace)
        try:
            logits: Tensor = self.model(input_ids=TOKENS, use_cache=False).logits
        finally:
            handle.remove()
            embedding.weight.copy_(own)
        return logits

    @property
    def begins_with_norm(self) -> bool:
        """Whether the first thing that a layer runs is a norm: its size then does not matter."""
        order: list[str] = []
        handles = [
            child.register_forward_pre_hook(lambda m, _: order.append(type(m).__name__))
            for child in self._layers[0].children()
        ]
        self.start()
        for handle in handles:
            handle.remove()
        return "norm" in order[0].lower()

    def _run(self, layer: int, change: Any) -> Tensor:
        leaving: list[Tensor] = []

        def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if args:
                return (change(args[0]), *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": change(kwargs["hidden_states"])}

        def after(_: nn.Module, __: Any, output: Any) -> None:
            leaving.append(output if isinstance(output, Tensor) else output[0])

        module = self._layers[layer]
        handles = [
            module.register_forward_pre_hook(before, with_kwargs=True),
            module.register_forward_hook(after),
        ]
        try:
            self.model(input_ids=TOKENS, use_cache=False)
        finally:
            for handle in handles:
                handle.remove()
        return leaving[0]


@torch.no_grad()
def literal_logits(
    parents: Sequence[ParentPasses], hops: Sequence[tuple[int, int]], scales: Sequence[float]
) -> Tensor:
    """Return the logits of a path whose stream is multiplied before each of its hops."""
    first, last = parents[hops[0][0]], parents[hops[-1][0]]
    stream = first.start()
    for (parent, layer), scale in zip(hops, scales, strict=True):
        stream = parents[parent].through(layer, stream * scale)
    return last.end(stream, first.model)
