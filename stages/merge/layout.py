"""How a checkpoint's tensors divide into modules, layers and components, told from their names.

There is no list of architectures. A *stack* is a numbered run of layers: the path before an
integer in tensor names, as in ``model.layers`` of ``model.layers.3.mlp.up_proj.weight``. A
*module* is a part of a model with a stack of its own: the encoder and the decoder of T5, the
language model and the vision tower of a LLaVA.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from stages.checkpoint import Checkpoint
from stages.errors import CheckpointError
from stages.merge.components import component_of, is_early

DEFAULT = "default"  # the name of a model's only module
_NUMBER = re.compile(r"(?:^|(?<=\.))\d+(?=\.)")
_DEPTH = re.compile(r"(?:^|_)(?:layers?|depth)$")


@dataclass(frozen=True, slots=True)
class Stack:
    """A numbered run of layers: ``path`` ends before the number; ``num_tensors`` are in it."""

    path: str
    num_layers: int
    num_tensors: int


@dataclass(frozen=True)
class Layout:
    """The division of one checkpoint; every tensor is in exactly one layer or in none.

    ``roots`` are the modules and the paths that their tensors begin with, the main module first:
    the one that holds the vocabulary. ``vocabulary`` gives the shapes of the matrices with a row
    for each token. With ``is_composite`` the others (a vision tower, a
    projector) are of another kind than the main one, which is a language model.
    """

    folder: str
    stacks: Mapping[str, Stack]
    places: Mapping[str, tuple[str, int]]  # of each tensor in a layer, its stack and its layer
    roots: Mapping[str, str]
    names: tuple[str, ...]
    is_composite: bool
    vocabulary: Mapping[str, tuple[int, ...]]

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """The modules: the main one first, then by name; a lone one is called ``default``."""
        found = {self.module_of(name) for name in self.names} - {"", self.main}
        return (self.main, *sorted(found))

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
        found = max((self.num_layers_of(module) for module in merged), default=0)
        if not found:
            raise CheckpointError(
                f"{self.folder}: no tensor's name has a layer number, such as the 0 of "
                "model.layers.0.mlp.up_proj.weight. Leave layers out of the rules."
            )
        return found

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
        """Return whether a tensor is no part of the language model of a composite model."""
        return self.is_composite and self.module_of(name) != self.main

    def layer_of(self, name: str) -> int | None:
        """Return a tensor's layer, counted in its module from 0, or None outside the layers."""
        place = self._place_of(name)
        return None if place is None else place[1]

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

    def is_after(self, name: str) -> bool:
        """Return whether a tensor comes after its module's layers: final norm, head, projector."""
        return self.layer_of(name) is None and not is_early(name)

    def renamed(self, name: str, layer: int) -> str:
        """Return the name that a layer's tensor has in another layer of the same stack.

        Raises:
            CheckpointError: the tensor is in no layer.
        """
        place = self._place_of(name)
        if place is None:
            raise CheckpointError(f"{self.folder}: tensor {name} is in no layer; it has no twin.")
        stem = f"{place[0]}." if place[0] else ""
        rest = name[len(stem) :].split(".", 1)[1]
        return f"{stem}{layer}.{rest}"

    def _largest(self, module: str) -> Stack | None:
        stacks = [s for s in self.stacks.values() if self.module_of(f"{s.path}.") == module]
        return max(stacks, key=lambda s: (s.num_tensors, s.path), default=None)

    def _place_of(self, name: str) -> tuple[str, int] | None:
        """Return a tensor's stack and layer, whether this checkpoint holds it or could."""
        if name in self.places:
            return self.places[name]
        return next((place for place in _numbers(name) if place[0] in self.stacks), None)


_KNOWN: WeakKeyDictionary[Checkpoint, Layout] = WeakKeyDictionary()


def layout_of(checkpoint: Checkpoint) -> Layout:
    """Return how a checkpoint divides, from its headers and its config alone.

    It is worked out once for each checkpoint: an evolution plans many merges of the same ones.
    """
    if checkpoint not in _KNOWN:
        _KNOWN[checkpoint] = _layout(checkpoint)
    return _KNOWN[checkpoint]


def _layout(checkpoint: Checkpoint) -> Layout:
    stacks, places = _stacks(checkpoint)
    vocabulary = _vocabulary(checkpoint)
    roots = _roots(stacks, vocabulary, checkpoint)
    return Layout(
        folder=str(checkpoint.folder),
        stacks=stacks,
        places=places,
        roots=roots,
        names=tuple(checkpoint.tensors),
        is_composite=len(roots) > 1 and _is_composite(checkpoint.config),
        vocabulary=vocabulary,
    )


def _numbers(name: str) -> list[tuple[str, int]]:
    """Return each integer in a name, outermost first, with the path before it."""
    return [(name[: max(m.start() - 1, 0)], int(m[0])) for m in _NUMBER.finditer(name)]


def _stacks(checkpoint: Checkpoint) -> tuple[dict[str, Stack], dict[str, tuple[str, int]]]:
    """Return the stacks of a checkpoint by path, and the stack and layer of each tensor in one.

    Of several numbers in a name (experts, T5's sublayers) the layer's is the outermost whose
    count the config gives, and else the outermost. One that numbers bare tensors, as
    ``mlp.0.weight`` of a Sequential, counts no layers.
    """
    found = {name: _numbers(name) for name in checkpoint.tensors}
    counts: dict[str, int] = {}
    deep: set[str] = set()
    for name, numbers in found.items():
        for path, number in numbers:
            counts[path] = max(counts.get(path, 0), number + 1)
            if path not in deep and name.count(".") > path.count(".") + 2 - (not path):
                deep.add(path)
    depths = set(_depths(checkpoint.config))
    places: dict[str, tuple[str, int]] = {}
    for name, numbers in found.items():
        legal = [place for place in numbers if place[0] in deep]
        counted = [place for place in legal if counts[place[0]] in depths]
        if legal:
            places[name] = (counted or legal)[0]
    sizes = Counter(path for path, _ in places.values())
    return {path: Stack(path, counts[path], sizes[path]) for path in sorted(sizes)}, places


def _roots(
    stacks: Mapping[str, Stack], vocabulary: Mapping[str, tuple[int, ...]], checkpoint: Checkpoint
) -> dict[str, str]:
    """Return each module's root, the main module first."""
    if len(stacks) < 2:
        return {DEFAULT: ""}
    split = [path.split(".") for path in stacks]
    shared = 0
    while all(len(path) > shared + 1 for path in split) and (
        len({path[shared] for path in split}) == 1
    ):
        shared += 1
    if len({path[shared] for path in split}) == 1:  # one stack's path begins another's
        return {DEFAULT: ""}
    roots = {}
    for path in split:
        bare = len(path) == shared + 1  # the layers lie beside the module's other tensors
        roots[path[shared]] = "".join(f"{p}." for p in path[: shared if bare else shared + 1])
    text = next(iter(_depths(text_section(checkpoint.config))), None)

    def rank(module: str) -> tuple[bool, bool, int, str]:
        mine = [s for s in stacks.values() if f"{s.path}.".startswith(roots[module])]
        speaks = any(name.startswith(roots[module]) for name in vocabulary)
        return (
            not speaks,
            text not in [s.num_layers for s in mine],
            -sum(s.num_tensors for s in mine),
            module,
        )

    return {module: roots[module] for module in sorted(roots, key=rank)}


def _vocabulary(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the matrices with a row for each token: embeddings and heads."""
    config = checkpoint.config
    sections = [config, *(value for value in config.values() if isinstance(value, dict))]
    sizes = {section.get("vocab_size") for section in sections}
    return {
        name: info.shape
        for name, info in checkpoint.tensors.items()
        if len(info.shape) == 2
        and (info.shape[0] in sizes or name.endswith(("lm_head.weight", "embed_tokens.weight")))
        and not _NUMBER.search(name)
    }


def _depths(config: Mapping[str, Any]) -> list[int]:
    """Return the numbers of layers that a config and its sections give, its own first."""
    own = [v for k, v in config.items() if _DEPTH.search(k) and type(v) is int]
    inner = [_depths(value) for value in config.values() if isinstance(value, dict)]
    return own + [depth for depths in inner for depth in depths]


def text_section(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a config that describes the language model."""
    section = config.get("text_config")
    return section if isinstance(section, dict) else config


def _is_composite(config: Mapping[str, Any]) -> bool:
    """Return whether a config joins models of different kinds, each in a section of its own.

    An encoder-decoder is one model: both its halves are merged.
    """
    sections = [value for value in config.values() if isinstance(value, dict) and _depths(value)]
    return bool(sections) and not config.get("is_encoder_decoder", False)
