"""The layers of a model's modules, and what their tensors are called under another layer number.

Everything that this package knows of architectures is asked of ``architecture/`` here; modules
and tensors are called as the frame calls them, the model whose config the child has.
"""

from collections.abc import Collection, Mapping

from stages.checkpoint.reader import Checkpoint
from stages.merge.architecture.components import is_buffer
from stages.merge.architecture.tensor_matching import Known, Match, known


class Layers:
    """The layers of one module of a model: what is in each is a weight or a buffer."""

    def __init__(self, match: Match, names: list[str]) -> None:
        self._match = match
        self._layout = match.other.layout
        self._weights: dict[int, list[str]] = {}
        self._buffers: dict[int, list[str]] = {}
        tensors = match.other.model.tensors
        for name in names:
            layer = self._layout.layer_of(name)
            if layer is not None:
                kind = self._buffers if is_buffer(name, tensors[name].shape) else self._weights
                kind.setdefault(layer, []).append(name)

    @property
    def num_layers(self) -> int:
        """The number of layers, as the tensors show it."""
        return max(self._weights, default=-1) + 1

    def first_alone(self) -> list[str]:
        """Return the weights that one of layer 0 and layer 1 has and the other has not, by name.

        T5 has its relative positions in layer 0, and they serve all layers.
        """
        if self.num_layers < 2:
            return []
        first, second = self.weights(0, 0), self.weights(1, 0)
        return sorted(first.keys() ^ second.keys())

    def weights(self, layer: int, stands_at: int) -> Mapping[str, str]:
        """Return a layer's weights: {the child's name if it stood at ``stands_at``: name}."""
        return self._named(self._weights.get(layer, []), layer, stands_at)

    def buffers(self, layer: int, stands_at: int) -> Mapping[str, str]:
        """Return a layer's buffers, as ``weights`` its weights."""
        return self._named(self._buffers.get(layer, []), layer, stands_at)

    def _named(self, names: list[str], layer: int, stands_at: int) -> Mapping[str, str]:
        moved = {
            name: name if layer == stands_at else self._layout.renamed(name, stands_at)
            for name in names
        }
        return {self._match.spelled(moved[name]): name for name in names}


class Modules:
    """A model met with the frame; ``merged`` are the modules that are merged, not copied."""

    def __init__(
        self, model: Checkpoint, label: str, frame: Known, merged: Collection[str]
    ) -> None:
        self.match = Match(known(model, label), frame, merged)
        self.label = label
        self._merged = merged
        self._layers: dict[str, Layers] = {}
        self._names: dict[str, list[str]] = {}
        for name in model.tensors:
            self._names.setdefault(self.match.module_of(name), []).append(name)

    def has(self, module: str) -> bool:
        """Return whether the model has a module."""
        return module in self._names or module == self.match.frame.layout.main

    def is_stacked(self, name: str) -> bool:
        """Return whether a tensor is in a layer of a module that is merged."""
        in_layer = self.match.other.layout.layer_of(name) is not None
        return in_layer and self.match.module_of(name) in self._merged

    def layers(self, module: str) -> Layers:
        """Return the layers of a module."""
        if module not in self._layers:
            self._layers[module] = Layers(self.match, self._names.get(module, []))
        return self._layers[module]
