"""The layers of a resident model, arranged as a child's are: more, fewer, or in another order."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from stages.checkpoint.model_config.config_reading import read_config
from stages.errors import RecipeError
from stages.merge.architecture.layer_kinds import listed_kinds
from stages.merge.architecture.layout import layout_of
from stages.merge.plan.plan import Plan

_ADVICE = "Write the child as a model folder and score that."
Arrangement = tuple[str, ...]  # what the config says of each layer


class ResidentLayers:
    """Gives a model as many layers of each kind as a child has; weights are not theirs to set.

    Each layer has parameters of its own and its own place in the cache of keys and values, so
    nothing is shared between two hops through one layer. Layers that an arrangement does not need
    are kept for the next.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._config: Any = None
        self.kinds: Arrangement = ()
        self._stock: dict[str, list[nn.Module]] = {}
        config = getattr(model, "config", None)
        if config is None:
            return
        self._config = config.get_text_config()
        depth = self._config.num_hidden_layers
        lists = (
            (owner, name, inner)
            for owner in _language_model(model).modules()
            for name, inner in owner.named_children()
            if isinstance(inner, nn.ModuleList) and len(inner) == depth
        )
        first = next(lists, None)
        if first is not None:
            self._owner, self._name, layers = first
            self.kinds = tuple(listed_kinds(self._config.to_dict(), depth))
            for kind, layer in zip(self.kinds, layers, strict=True):
                self._stock.setdefault(kind, []).append(layer)
        self._own_kinds, self._own_config = self.kinds, self._config.to_dict()

    def arrange(self, plan: Plan) -> Arrangement:
        """Arrange the layers as the child's config says; return what it says of each.

        Raises:
            RecipeError: the child has a layer of a kind that the model has none of.
        """
        if not self.kinds:
            return ()
        kinds, config = self._own_kinds, self._own_config
        if plan.recipe.layers:
            child = read_config(plan.config)
            if child is None:
                raise RecipeError(
                    f"{plan.label}: transformers cannot read the child's config.json, which says "
                    f"how its layers follow each other. {_ADVICE}"
                )
            config = child.get_text_config().to_dict()
            kinds = tuple(listed_kinds(config, len(_layers_of(plan))))
        if kinds != self.kinds:
            self._check(kinds, plan)
            setattr(self._owner, self._name, nn.ModuleList(self._layers(kinds)))
            self._describe(config, len(kinds))
            self.kinds = kinds
        return kinds

    def _check(self, kinds: Arrangement, plan: Plan) -> None:
        """Check that there is a layer of each kind, before any of them is moved."""
        for number, kind in enumerate(kinds):
            if kind not in self._stock:
                raise RecipeError(
                    f"{plan.label}: layer {number} is of a kind that the resident model has no "
                    f"layer of. {_ADVICE}"
                )

    def _layers(self, kinds: Arrangement) -> Iterator[nn.Module]:
        used = dict.fromkeys(kinds, 0)
        for number, kind in enumerate(kinds):
            stock = self._stock[kind]
            if used[kind] == len(stock):
                shared = {id(config): config for config in _configs(stock[0])}
                stock.append(copy.deepcopy(stock[0], shared))
            layer = stock[used[kind]]
            used[kind] += 1
            for module in layer.modules():
                if hasattr(module, "layer_idx"):
                    module.layer_idx = number  # type: ignore[assignment]  # in the cache
            yield layer

    def _describe(self, said: Mapping[str, Any], depth: int) -> None:
        """Let the model's config say of the layers what another does."""
        for key, value in self._config.to_dict().items():
            is_list = isinstance(value, list) and isinstance(said.get(key), list)
            if is_list and value != said[key]:
                setattr(self._config, key, said[key])
        self._config.num_hidden_layers = depth


def _language_model(model: nn.Module) -> nn.Module:
    """Return the part of a model that writes text: a tower of as many layers is not it."""
    find = getattr(model, "get_decoder", None)
    decoder = find() if callable(find) else None
    return decoder if isinstance(decoder, nn.Module) else model


def _layers_of(plan: Plan) -> set[int]:
    """Return the numbers of the child's layers in its main module."""
    layout = layout_of(plan.frame)
    return {
        layer
        for tensor in plan.tensors
        if layout.module_of(tensor.name) == layout.main
        and (layer := layout.layer_of(tensor.name)) is not None
    }


def _configs(layer: nn.Module) -> Iterator[Any]:
    """Yield the configs that modules of a layer refer to: a copy of the layer shares them."""
    for module in layer.modules():
        config = getattr(module, "config", None)
        if config is not None:
            yield config
