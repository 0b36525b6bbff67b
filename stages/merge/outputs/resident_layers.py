"""The layers of a resident model, arranged as a child's are: more, fewer, or in another order."""

import copy
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from stages.checkpoint.model_config.config_reading import read_config
from stages.errors import RecipeError
from stages.merge.architecture.components import is_buffer
from stages.merge.architecture.configured_layers import ConfiguredLayers
from stages.merge.architecture.layout import Layout, layout_of
from stages.merge.plan.plan import Plan, TensorPlan

_NUMBERS = ("layer_idx", "layer_id")  # a layer's place in the cache; the second is GPT-Neo's
_ADVICE = "Write the child as a model folder and score that."


@dataclass(frozen=True, slots=True)
class LayerOrder:
    """The kind of each layer, and which is the first layer that holds the same.

    Layers of one kind have tensors of the same names, and the config says the same of them. A
    layer that holds what no earlier one does is its own first.
    """

    kinds: tuple[str, ...] = ()
    firsts: tuple[int, ...] = ()


class ResidentLayers:
    """Gives a model as many layers of each kind as a child has; weights are not theirs to set.

    Layers of equal contents share their parameters. Each is a module of its own nevertheless, with
    its own place in the cache of keys and values. Layers that an arrangement does not need are
    kept for the next.
    """

    def __init__(self, model: nn.Module, names: Collection[str]) -> None:
        """Take note of a model and of its tensors' ``names`` in a checkpoint."""
        self._names = names
        self._prefix = f"{getattr(model, 'base_model_prefix', '')}."
        self._config: Any = None
        self.arrangement = LayerOrder()
        self._structures: dict[frozenset[str], int] = {}  # numbers of the sets of tensors seen
        self._own: LayerOrder | None = None  # known with the first plan
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
        self._own_config = self._config.to_dict()
        if first is not None:
            self._owner, self._name, _ = first
            self.arrangement = LayerOrder(("",) * depth, tuple(range(depth)))  # not yet asked

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
        if self._own is None:
            self._own = self._take_stock(layout_of(plan.frame))
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
            kinds = self._kinds(config, [{*layer} for layer in contents])
            layers = [*zip(kinds, contents, strict=True)]
            arrangement = LayerOrder(kinds, tuple(layers.index(layer) for layer in layers))
        if arrangement != self.arrangement:
            self._check(arrangement.kinds, plan)
            setattr(self._owner, self._name, nn.ModuleList(self._layers(arrangement)))
            self._describe(config, len(arrangement.kinds))
            self.arrangement = arrangement
        return arrangement

    def _take_stock(self, layout: Layout) -> LayerOrder:
        """Sort the model's own layers by their kinds; return how they lie."""
        tensors: list[set[str]] = [set() for _ in self.modules]
        for name in self._names:
            own = name if layout.layer_of(name) is not None else name.removeprefix(self._prefix)
            layer = layout.layer_of(own)
            if layer is not None and layer < len(tensors) and layout.module_of(own) == layout.main:
                tensors[layer].add(layout.inner(own))
        self.arrangement = LayerOrder(
            self._kinds(self._own_config, tensors), self.arrangement.firsts
        )
        for kind, module in zip(self.arrangement.kinds, self.modules, strict=True):
            self._stock.setdefault(kind, []).append(module)
        return self.arrangement

    def _kinds(
        self, config: Mapping[str, Any], tensors: Sequence[Collection[str]]
    ) -> tuple[str, ...]:
        """Return the kind of each layer: what the config says of it, and which tensors it has."""
        said = ConfiguredLayers(config).kinds
        kinds = []
        for layer, names in enumerate(tensors):
            number = self._structures.setdefault(frozenset(names), len(self._structures))
            of_layer = {key: entries[layer] for key, entries in sorted(said.items())}
            kinds.append(f"{number} {json.dumps(of_layer, default=str)}")
        return tuple(kinds)

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
                for name in _NUMBERS:
                    if hasattr(module, name):
                        setattr(module, name, number)
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
        if is_buffer(tensor.name, tensor.info.shape):
            continue
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
