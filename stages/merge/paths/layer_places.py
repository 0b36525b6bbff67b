"""Whether a layer does the same wherever it stands, tried on a small random model.

A layer's number, or how many layers there are, may be part of its arithmetic, and it may read
more than the stream: what other layers leave for it, or tensors that serve all layers. A path that
moves such a layer, has more or fewer of them, or takes them from several models computes something
else than its models do.
"""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from threading import Lock
from typing import Any

import torch

from stages.errors import RecipeError
from stages.merge.architecture.configured_layers import ConfiguredLayers
from stages.merge.architecture.layer_kinds import listed_kinds
from stages.merge.paths.fold_check import TOLERANCE, Trial
from stages.merge.paths.small_copy import trying, why_shared, without_last_layer

_TRYING = Lock()  # the weights of the small model change while it is asked
_NOISE = 0.3  # standard deviation of what is added to tensors that a layer should not read


def why_place_matters(config: Mapping[str, Any]) -> str | None:
    """Return why a layer is another one in another place, or None where it is not.

    An architecture of which no small copy can be made is not tried.
    """
    return _tried(json.dumps(config, sort_keys=True), _PlaceTrial.why_place_matters)


def why_depth_matters(config: Mapping[str, Any]) -> str | None:
    """Return why a layer is another one in a model of another depth, or None where it is not.

    An architecture of which no small copy can be made is not tried.
    """
    return _tried(json.dumps(config, sort_keys=True), _PlaceTrial.why_depth_matters)


def why_others_matter(config: Mapping[str, Any]) -> str | None:
    """Return why a layer is another one after other layers, or None where it is not.

    An architecture of which no small copy can be made is not tried.
    """
    sharing = why_shared(config)
    if sharing is not None:
        return f"{sharing}. Keep all layers of one model, in their order."
    return _tried(json.dumps(config, sort_keys=True), _PlaceTrial.why_others_matter)


def why_outside_matters(config: Mapping[str, Any]) -> str | None:
    """Return why a layer is another one next to another model's embeddings, or None.

    An architecture of which no small copy can be made is not tried.
    """
    return _tried(json.dumps(config, sort_keys=True), _PlaceTrial.why_outside_matters)


@lru_cache(maxsize=64)
def _tried(config: str, why: Callable[["_PlaceTrial"], str | None]) -> str | None:
    try:
        with _TRYING, trying():
            return why(_trial(config))
    except RecipeError:
        return None


@lru_cache(maxsize=1)  # a plan asks several questions about one config
def _trial(config: str) -> "_PlaceTrial":
    return _PlaceTrial(json.loads(config))


class _PlaceTrial(Trial):
    """A small model whose layers change places, or stand among others, or lack the last."""

    def why_place_matters(self) -> str | None:
        """Return why a layer does something else where another of its kind stands."""
        pair = self._pair()
        if pair is None:
            return None
        first, second = pair
        stream, expected = self._stream(first), self._added(first)
        moved = dict(self._tensors)
        for name, tensor in self._tensors.items():
            at = self._at(name)
            if at in pair:
                other = second if at == first else first
                moved[self._layout.renamed(name, other)] = tensor
        with self._loaded(moved) as model:
            actual = self._through(model, second, stream) - stream
        if (actual - expected).abs().max() <= TOLERANCE * expected.abs().max():
            return None
        return (
            f"model_type {self._name}: a layer does something else in another place, as layer "
            f"{first} of a small model of it where layer {second} is. Keep all layers in their "
            "order."
        )

    def _pair(self) -> tuple[int, int] | None:
        """Return two layers that have the same tensors and of which the config says the same."""
        config = self._model.config.to_dict()  # type: ignore[union-attr, operator]
        kinds = listed_kinds(config, self._layout.stacks[self._stack].num_layers)
        seen: dict[tuple[str, ...], int] = {}
        for layer, kind in enumerate(kinds):
            own = (kind, *sorted(self._names(layer)))
            if own in seen:
                return seen[own], layer
            seen[own] = layer
        return None

    def why_depth_matters(self) -> str | None:
        """Return why a layer does something else where the last one is left out."""
        with self._loaded(self._tensors) as model:
            longer = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            said = ConfiguredLayers(model.config.to_dict()).kinds  # type: ignore[union-attr, operator]
        depth = self._layout.stacks[self._stack].num_layers
        if depth < 2:
            return None
        shorter = without_last_layer(self._model)
        tensors = shorter.state_dict()
        for name, tensor in tensors.items():
            if name not in longer or longer[name].shape != tensor.shape:
                return (
                    f"model_type {self._name}: {name} is not what it is in a small model of it "
                    "that has a layer more. Keep the number of layers."
                )
        shorter.load_state_dict({name: longer[name] for name in tensors})
        kinds = ConfiguredLayers(shorter.config.to_dict()).kinds  # type: ignore[union-attr, operator]
        for layer in sorted({0, depth - 2}):
            if any(said.get(key, kinds[key])[layer] != kinds[key][layer] for key in kinds):
                continue  # the config says of it that it is another
            stream, expected = self._stream(layer), self._added(layer)
            actual = self._through(shorter, layer, stream) - stream
            if (actual - expected).abs().max() > TOLERANCE * expected.abs().max():
                return (
                    f"model_type {self._name}: layer {layer} of a small model of it does "
                    "something else where there is a layer less. Keep the number of layers."
                )
        return None

    def why_others_matter(self) -> str | None:
        """Return why a layer does something else where other layers hold other weights."""
        layer = self._reader(lambda at, own: at not in (None, own))
        if layer is None:
            return None
        return (
            f"model_type {self._name}: a layer reads more than the stream, as layer {layer} of a "
            "small model of it reads what an earlier layer left. Keep all layers of one model, in "
            "their order."
        )

    def why_outside_matters(self) -> str | None:
        """Return why a layer does something else where what is in no layer holds other weights."""
        layer = self._reader(lambda at, _: at is None)
        if layer is None:
            return None
        return (
            f"model_type {self._name}: a layer reads more than the stream, as layer {layer} of a "
            "small model of it reads tensors that are in no layer, of which a child has one for "
            "all. Take all layers from the same models."
        )

    def _reader(self, is_changed: Callable[[int | None, int], bool]) -> int | None:
        """Return a layer that adds something else to a stream where other tensors are changed.

        A layer of each kind is asked, and the second and the last, which have layers before them.
        ``is_changed`` is asked with the layer that a tensor is in, and the layer that is tried.
        """
        last = self._layout.stacks[self._stack].num_layers - 1
        for layer in sorted({*self.kinds.values(), min(1, last), last}):
            stream, expected = self._stream(layer), self._added(layer)
            generator = torch.Generator().manual_seed(1)
            changed = dict(self._tensors)
            for name, tensor in self._tensors.items():
                if is_changed(self._at(name), layer) and tensor.is_floating_point():
                    noise = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)
                    changed[name] = tensor + _NOISE * noise
            with self._loaded(changed) as model:
                actual = self._through(model, layer, stream) - stream
            if (actual - expected).abs().max() > TOLERANCE * expected.abs().max():
                return layer
        return None
