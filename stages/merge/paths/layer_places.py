"""Whether a layer does the same wherever it stands, tried on a small random model.

A layer's number, or how many layers there are, may be part of its arithmetic. A path that moves
such a layer, or has more or fewer of them, computes something else than its models do.
"""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stages.errors import RecipeError
from stages.merge.architecture.configured_layers import ConfiguredLayers
from stages.merge.architecture.layer_kinds import listed_kinds
from stages.merge.paths.fold_check import TOLERANCE, Trial
from stages.merge.paths.small_copy import quiet, without_last_layer


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


@lru_cache(maxsize=32)
def _tried(config: str, why: Callable[["_PlaceTrial"], str | None]) -> str | None:
    try:
        with quiet(), TemporaryDirectory(prefix="germline-") as folder:
            return why(_PlaceTrial(json.loads(config), Path(folder)))
    except RecipeError:
        return None


class _PlaceTrial(Trial):
    """A small model whose layers change places, or of which the last is left out."""

    def why_place_matters(self) -> str | None:
        """Return why a layer does something else where another of its kind stands."""
        pair = self._pair()
        if pair is None:
            return None
        first, second = pair
        stream = self._stream(first)
        expected = self._adds(first, {}, (1, 1), stream)
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
            stream = self._stream(layer)
            expected = self._adds(layer, {}, (1, 1), stream)
            actual = self._through(shorter, layer, stream) - stream
            if (actual - expected).abs().max() > TOLERANCE * expected.abs().max():
                return (
                    f"model_type {self._name}: layer {layer} of a small model of it does "
                    "something else where there is a layer less. Keep the number of layers."
                )
        return None
