"""The layers of a resident model, arranged as a child's are: more, fewer, or in another order."""

import copy
from collections.abc import Iterator
from typing import Any

from torch import nn

from stages.errors import RecipeError
from stages.merge.paths.small_copy import listed_kinds
from stages.merge.plan.plan import Plan

Arrangement = tuple[str, ...]  # what the config says of each layer


class ResidentLayers:
    """Gives a model as many layers of each kind as a child has; weights are not theirs to set.

    Each layer has parameters of its own and its own place in the cache of keys and values, so
    nothing is shared between two hops through one layer. Layers that an arrangement does not need
    are kept for the next.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._config: Any = _text_config(getattr(model, "config", None))
        self._name = ""
        self.kinds: Arrangement = ()
        self._stock: dict[str, list[nn.Module]] = {}
        if self._config is None:
            return
        depth = self._config.num_hidden_layers
        lists = [
            (name, module)
            for name, module in model.named_modules()
            if isinstance(module, nn.ModuleList) and len(module) == depth
        ]
        if lists:
            self._name, layers = lists[0]
            self.kinds = tuple(listed_kinds(self._config.to_dict(), depth))
            for kind, layer in zip(self.kinds, layers, strict=True):
                self._stock.setdefault(kind, []).append(layer)

    def arrange(self, plan: Plan) -> Arrangement:
        """Arrange the layers as the child's config says; return what it says of each.

        Raises:
            RecipeError: the child has a layer of a kind that the model has none of.
        """
        if not self.kinds:
            return ()
        child = _text_config(type(self._model.config).from_dict(dict(plan.config)))  # type: ignore[union-attr]
        depth = child.num_hidden_layers
        kinds = tuple(listed_kinds(child.to_dict(), depth))
        if kinds != self.kinds:
            layers = nn.ModuleList(self._layers(kinds, plan))
            home, _, own = self._name.rpartition(".")
            setattr(self._model.get_submodule(home), own, layers)
            self._describe(child, depth)
            self.kinds = kinds
        return kinds

    def _layers(self, kinds: Arrangement, plan: Plan) -> Iterator[nn.Module]:
        used = dict.fromkeys(kinds, 0)
        for number, kind in enumerate(kinds):
            stock = self._stock.get(kind)
            if stock is None:
                raise RecipeError(
                    f"{plan.label}: layer {number} is of a kind that the resident model has no "
                    "layer of. Write the child as a model folder and score that."
                )
            if used[kind] == len(stock):
                shared = {id(module): module for module in _configs(stock[0])}
                stock.append(copy.deepcopy(stock[0], shared))
            layer = stock[used[kind]]
            used[kind] += 1
            for module in layer.modules():
                if hasattr(module, "layer_idx"):
                    module.layer_idx = number  # type: ignore[assignment]  # in the cache
            yield layer

    def _describe(self, child: Any, depth: int) -> None:
        """Let the model's config say of the layers what the child's says."""
        said = child.to_dict()
        for key, value in self._config.to_dict().items():
            is_list = isinstance(value, list) and isinstance(said.get(key), list)
            if is_list and value != said[key]:
                setattr(self._config, key, said[key])
        self._config.num_hidden_layers = depth


def _text_config(config: Any) -> Any:
    return None if config is None else config.get_text_config()


def _configs(layer: nn.Module) -> Iterator[Any]:
    """Yield the configs that modules of a layer refer to: a copy of the layer shares them."""
    for module in layer.modules():
        config = getattr(module, "config", None)
        if config is not None:
            yield config
