"""The layers of a resident model, arranged as a child's are: more, fewer, or in another order."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from stages.checkpoint.model_config.config_reading import read_config
from stages.errors import RecipeError
from stages.merge.architecture.layer_kinds import listed_kinds
from stages.merge.architecture.layout import layout_of
from stages.merge.plan.plan import Plan, TensorPlan

_ADVICE = "Write the child as a model folder and score that."


@dataclass(frozen=True, slots=True)
class LayerOrder:
    """What the config says of each layer, and which is the first layer that holds the same.

    A layer that holds what no earlier one does is its own first.
    """

    kinds: tuple[str, ...] = ()
    firsts: tuple[int, ...] = ()


class ResidentLayers:
    """Gives a model as many layers of each kind as a child has; weights are not theirs to set.

    Layers of equal contents share their parameters. Each is a module of its own nevertheless, with
    its own place in the cache of keys and values. Layers that an arrangement does not need are
    kept for the next.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._config: Any = None
        self.arrangement = LayerOrder()
        self._stock: dict[str, list[nn.Module]] = {}
        self._aliases: dict[int, list[nn.Module]] = {}  # by the id of the layer they share with
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
            kinds = tuple(listed_kinds(self._config.to_dict(), depth))
            self.arrangement = LayerOrder(kinds, tuple(range(depth)))
            for kind, layer in zip(kinds, layers, strict=True):
                self._stock.setdefault(kind, []).append(layer)
        self._own, self._own_config = self.arrangement, self._config.to_dict()

    @property
    def modules(self) -> list[nn.Module]:
        """The layers as they lie now; none where the model has no list of them."""
        return [*getattr(self._owner, self._name)] if self.arrangement.kinds else []

    def arrange(self, plan: Plan) -> LayerOrder:
        """Arrange the layers as the child has them; return how they lie now.

        Raises:
            RecipeError: the child has a layer of a kind that the model has none of.
        """
        if not self.arrangement.kinds:
            return self.arrangement
        arrangement, config = self._own, self._own_config
        if plan.recipe.layers:
            child = read_config(plan.config)
            if child is None:
                raise RecipeError(
                    f"{plan.label}: transformers cannot read the child's config.json, which says "
                    f"how its layers follow each other. {_ADVICE}"
                )
            config = child.get_text_config().to_dict()
            contents = _contents_of(plan)
            kinds = tuple(listed_kinds(config, len(contents)))
            layers = [*zip(kinds, contents, strict=True)]
            arrangement = LayerOrder(kinds, tuple(layers.index(layer) for layer in layers))
        if arrangement != self.arrangement:
            self._check(arrangement.kinds, plan)
            setattr(self._owner, self._name, nn.ModuleList(self._layers(arrangement)))
            self._describe(config, len(arrangement.kinds))
            self.arrangement = arrangement
        return arrangement

    def _check(self, kinds: Sequence[str], plan: Plan) -> None:
        """Check that there is a layer of each kind, before any of them is moved."""
        for number, kind in enumerate(kinds):
            if kind not in self._stock:
                raise RecipeError(
                    f"{plan.label}: layer {number} is of a kind that the resident model has no "
                    f"layer of. {_ADVICE}"
                )

    def _layers(self, arrangement: LayerOrder) -> list[nn.Module]:
        layers: list[nn.Module] = []
        used = dict.fromkeys(arrangement.kinds, 0)
        num_aliases = dict.fromkeys(arrangement.firsts, 0)
        for number, (kind, first) in enumerate(
            zip(arrangement.kinds, arrangement.firsts, strict=True)
        ):
            if first < number:
                layer = self._alias(layers[first], num_aliases[first])
                num_aliases[first] += 1
            else:
                stock = self._stock[kind]
                if used[kind] == len(stock):
                    stock.append(_copy(stock[0]))
                layer = stock[used[kind]]
                used[kind] += 1
            for module in layer.modules():
                if hasattr(module, "layer_idx"):
                    module.layer_idx = number  # type: ignore[assignment]  # in the cache
            layers.append(layer)
        return layers

    def _alias(self, layer: nn.Module, number: int) -> nn.Module:
        """Return the alias of a layer that has this number."""
        aliases = self._aliases.setdefault(id(layer), [])
        if number == len(aliases):
            aliases.append(_copy(layer, *layer.parameters(), *layer.buffers()))
        return aliases[number]

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


def _contents_of(plan: Plan) -> list[dict[str, TensorPlan]]:
    """Return what the tensors of each of the child's layers are made of, in its main module."""
    layout = layout_of(plan.frame)
    contents: dict[int, dict[str, TensorPlan]] = {}
    for tensor in plan.tensors:
        layer = layout.layer_of(tensor.name)
        if layer is not None and layout.module_of(tensor.name) == layout.main:
            contents.setdefault(layer, {})[layout.inner(tensor.name)] = tensor.unnamed
    return [contents[layer] for layer in sorted(contents)]


def _copy(layer: nn.Module, *shared: Tensor) -> nn.Module:
    """Return a copy of a layer that shares its configs, and these tensors."""
    same = {id(one): one for one in (*_configs(layer), *shared)}
    return copy.deepcopy(layer, same)


def _configs(layer: nn.Module) -> Iterator[Any]:
    """Yield the configs that modules of a layer refer to: a copy of the layer shares them."""
    for module in layer.modules():
        config = getattr(module, "config", None)
        if config is not None:
            yield config
