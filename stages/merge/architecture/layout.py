"""How a checkpoint's tensors divide into modules, layers and components, told from their names.

There is no list of architectures; layer_stacks.py finds what numbers count layers.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

from stages.checkpoint.reader import Checkpoint
from stages.errors import CheckpointError, RecipeError
from stages.hashing import nearest
from stages.merge.architecture.components import component_of, is_early
from stages.merge.architecture.layer_stacks import (
    LayerStack,
    is_composite,
    layers_beyond,
    numbers,
    roots_of,
    stacks_of,
    vocabulary_of,
)


@dataclass(frozen=True)
class Layout:
    """The division of one checkpoint; every tensor is in exactly one layer or in none.

    ``roots`` are the modules and the paths that their tensors begin with, the main module first:
    the one that holds the vocabulary. ``vocabulary`` gives the shapes of the matrices with a row
    for each token. With ``is_composite`` the others (a vision tower, a projector) are of another
    kind than the main one, which is a language model. ``predicting`` are modules that predict
    tokens after the next; those whose layers are numbered on from the model's own begin with one
    of ``beyond``.
    """

    folder: str
    stacks: Mapping[str, LayerStack]
    places: Mapping[str, tuple[str, int]]  # of each tensor in a layer, its stack and its layer
    roots: Mapping[str, str]
    names: tuple[str, ...]
    is_composite: bool
    vocabulary: Mapping[str, tuple[int, ...]]
    predicting: frozenset[str] = frozenset()
    beyond: tuple[str, ...] = ()

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """The modules: the main one first, then by name; a lone one is called ``default``."""
        others = {self.module_of(name) for name in self.names} - {"", self.main}
        return (self.main, *sorted(others))

    @cached_property
    def _nested(self) -> list[tuple[str, str]]:
        """The roots, those inside others first."""
        return sorted(self.roots.items(), key=lambda item: -len(item[1]))

    @property
    def main(self) -> str:
        """The module that holds the vocabulary, or the largest."""
        return next(iter(self.roots))

    @cached_property
    def num_layers(self) -> int:
        """The number of layers that rules may name: the most that any merged module has.

        Raises:
            CheckpointError: no tensor is in a layer.
        """
        merged = (self.main,) if self.is_composite else self.modules
        depth = max((self.num_layers_of(module) for module in merged), default=0)
        if not depth:
            raise CheckpointError(
                f"{self.folder}: no tensor's name has a layer number, such as the 0 of "
                "model.layers.0.mlp.up_proj.weight. Leave layers out of the rules."
            )
        return depth

    def num_layers_of(self, module: str) -> int:
        """Return the number of layers of a module's largest stack, 0 where it has none."""
        stack = self._largest(module)
        return 0 if stack is None else stack.num_layers

    def stem_of(self, module: str) -> str | None:
        """Return what the names of a module's layers and their neighbours begin with.

        It is ``model.`` where the layers are ``model.layers``; None where there are no layers.
        """
        stack = self._largest(module)
        head = "" if stack is None else stack.path.rpartition(".")[0]
        return None if stack is None else f"{head}." if head else ""

    def is_kept(self, name: str) -> bool:
        """Return whether a tensor is not a part of the language model of a composite model."""
        return self.is_composite and self.module_of(name) != self.main

    def check_modules(self, modules: Collection[str], label: str) -> None:
        """Check that each module is one that may be merged besides the language model.

        ``label`` is what messages call this model.

        Raises:
            RecipeError: there is no such module, or the model is not composite.
        """
        legal = list(self.modules) if self.is_composite else []
        for module in modules:
            if module not in legal:
                raise RecipeError(
                    f"modules names {module!r}. {label} has "
                    f"{', '.join(legal) or 'none: all of it is merged'}; change that."
                    f"{nearest(module, legal)}"
                )

    def layer_of(self, name: str) -> int | None:
        """Return a tensor's layer, counted in its module from 0, or None outside the layers."""
        position = self._place_of(name)
        return None if position is None else position[1]

    def component_of(self, name: str) -> str:
        """Return ``attention``, ``mlp`` (experts and routers too) or ``rest``."""
        return component_of(name)

    def module_of(self, name: str) -> str:
        """Return a tensor's module, or an empty string for what modules share, as T5's embedding.

        In a composite model the main module holds the head too, and what belongs to no stack
        (a projector) is a module called after the first part of its path.
        """
        for module, root in self._nested:
            if name.startswith(root):
                return module
        if not self.is_composite:
            return ""
        if name in self.vocabulary:
            return self.main
        shared = self.roots[self.main].rstrip(".").rpartition(".")[0]
        inner = name[len(shared) + 1 :] if shared and name.startswith(f"{shared}.") else name
        return inner.split(".", 1)[0]

    def is_before(self, name: str) -> bool:
        """Return whether a tensor comes before its module's layers: embeddings and their norms."""
        return self.layer_of(name) is None and is_early(name)

    def inner(self, name: str) -> str:
        """Return the name of a layer's tensor after the layer's number; of others, all of it."""
        position = self._place_of(name)
        if position is None:
            return name
        return name[len(position[0]) :].lstrip(".").partition(".")[2]

    def renamed(self, name: str, layer: int) -> str:
        """Return the name that a layer's tensor has in another layer of the same stack.

        Raises:
            CheckpointError: the tensor is in no layer.
        """
        position = self._place_of(name)
        if position is None:
            raise CheckpointError(f"{self.folder}: tensor {name} is in no layer; it has no twin.")
        stem = f"{position[0]}." if position[0] else ""
        rest = name[len(stem) :].split(".", 1)[1]
        return f"{stem}{layer}.{rest}"

    def renumbered(self, name: str, depth: int) -> str:
        """Return the name of a tensor beyond a model whose layers are ``depth`` many."""
        root = next((root for root in self.beyond if name.startswith(root)), None)
        if root is None:
            return name
        path, number = root.removesuffix(".").rsplit(".", 1)
        moved = depth + int(number) - self.num_layers_of(self.main)
        return f"{path}.{moved}.{name.removeprefix(root)}"

    def _largest(self, module: str) -> LayerStack | None:
        stacks = [s for s in self.stacks.values() if self.module_of(f"{s.path}.") == module]
        return max(stacks, key=lambda s: (s.num_tensors, s.path), default=None)

    def _place_of(self, name: str) -> tuple[str, int] | None:
        """Return a tensor's stack and layer, whether this checkpoint holds it or could."""
        if name in self.places:
            return self.places[name]
        if name.startswith(self.beyond):
            return None
        return next((run for run in numbers(name) if run[0] in self.stacks), None)


_KNOWN: WeakKeyDictionary[Checkpoint, Layout] = WeakKeyDictionary()


def layout_of(checkpoint: Checkpoint) -> Layout:
    """Return how a checkpoint divides, from its headers and its config alone.

    It is worked out once for each checkpoint: an evolution plans many merges of the same ones.
    """
    if checkpoint not in _KNOWN:
        _KNOWN[checkpoint] = _layout(checkpoint)
    return _KNOWN[checkpoint]


def _layout(checkpoint: Checkpoint) -> Layout:
    beyond = layers_beyond(checkpoint)
    stacks, places = stacks_of(checkpoint, beyond)
    vocabulary = vocabulary_of(checkpoint)
    roots, predicting = roots_of(stacks, vocabulary, checkpoint, beyond)
    return Layout(
        folder=str(checkpoint.folder),
        stacks=stacks,
        places=places,
        roots=roots,
        names=tuple(checkpoint.tensors),
        is_composite=bool(predicting) or (len(roots) > 1 and is_composite(checkpoint.config)),
        vocabulary=vocabulary,
        predicting=predicting,
        beyond=beyond,
    )
