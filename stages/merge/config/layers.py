"""How a checkpoint's tensors divide, module by module: before the layers, in them, after them.

Everything that this package knows of architectures is asked of ``stages/merge/layout.py`` here.
"""

from collections.abc import Mapping
from functools import cached_property

from stages.checkpoint import Checkpoint
from stages.merge.layout import layout_of


class Layers:
    """The tensors of one module of a checkpoint; ``shared`` adds what no module has alone."""

    def __init__(self, model: "Modules", module: str, *, shared: bool) -> None:
        self._layout = model.layout
        self._config = model.checkpoint.config
        self.before: list[str] = []
        self.after: list[str] = []
        self.inside: dict[int, list[str]] = {}
        for name in model.names.get(module, []) + (model.names.get("", []) if shared else []):
            layer = self._layout.layer_of(name)
            if layer is not None:
                self.inside.setdefault(layer, []).append(name)
            elif self._layout.is_before(name):
                self.before.append(name)
            else:
                self.after.append(name)

    @property
    def num_layers(self) -> int:
        """The number of layers, as the tensors show it."""
        return max(self.inside, default=-1) + 1

    def unit(self, layer: int, stands_at: int) -> Mapping[str, str]:
        """Return a layer's tensors: {name if the layer stood at ``stands_at``: name}."""
        names = self.inside.get(layer, [])
        if layer == stands_at:
            return {name: name for name in names}
        return {self._layout.renamed(name, stands_at): name for name in names}

    @cached_property
    def head(self) -> str | None:
        """The name of the output head, or None where there is none of its own."""
        return next((name for name in self.after if name in self._layout.vocabulary), None)

    @cached_property
    def tied_head(self) -> str | None:
        """The embedding that is the head as well, or None where the head is not tied to it."""
        embedding = next((name for name in self.before if name in self._layout.vocabulary), None)
        says_tied = self._config.get("tie_word_embeddings", self.head is None)
        return embedding if says_tied else None


class Modules:
    """A checkpoint, and its tensors' names by module."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.layout = layout_of(checkpoint)
        self.names: dict[str, list[str]] = {}
        for name in checkpoint.tensors:
            self.names.setdefault(self.layout.module_of(name), []).append(name)

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules, the main one first; a lone one is called ``default``."""
        return self.layout.modules

    def layers(self, module: str) -> Layers:
        """Return the tensors of a module; the main one has those that all share."""
        return Layers(self, module, shared=module == self.layout.main)
