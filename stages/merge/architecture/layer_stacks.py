"""Where a checkpoint's layers are: found from the tensors' names, and checked with the config.

A *stack* is a numbered run of layers: the path before an integer in tensor names, as
``model.layers`` of ``model.layers.3.mlp.up_proj.weight``. A *module* is a part of a model with a
stack of its own: the encoder and the decoder of T5, the language model and the vision tower of a
LLaVA.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.checkpoint.reader import Checkpoint

DEFAULT = "default"  # the name of a model's only module
_NUMBER = re.compile(r"(?:^|(?<=\.))\d+(?=\.)")
DEPTH = re.compile(r"(?:^|_)(?:layers?|depth)$")
NUM_LAYERS = ("num_hidden_layers", "n_layer", "num_layers")  # of a language model
# Layers that predict tokens after the next: transformers neither loads nor saves them.
_PREDICTS = re.compile(r"mtp(?:_.*|\d*)")
_PREDICTS_BEYOND = ("num_nextn_predict_layers", "num_mtp_layers", "mtp_num_layers")
_BEYOND = "nextn"  # the module of such layers that are numbered on from the model's own
HALVES = ("encoder", "decoder")  # the modules of an encoder-decoder


@dataclass(frozen=True, slots=True)
class LayerStack:
    """A numbered run of layers: ``path`` ends before the number; ``num_tensors`` are in it."""

    path: str
    num_layers: int
    num_tensors: int


def numbers(name: str) -> list[tuple[str, int]]:
    """Return each integer in a name, outermost first, with the path before it."""
    return [(name[: max(m.start() - 1, 0)], int(m[0])) for m in _NUMBER.finditer(name)]


def stacks_of(
    checkpoint: Checkpoint, beyond: tuple[str, ...]
) -> tuple[dict[str, LayerStack], dict[str, tuple[str, int]]]:
    """Return the stacks of a checkpoint by path, and the stack and layer of each tensor in one.

    Of several numbers in a name (experts, T5's sublayers) the layer's is the outermost, unless
    the config gives its count to a longer run inside it. One that numbers bare tensors, as
    ``mlp.0.weight`` of a Sequential, counts no layers. Those that begin as one of ``beyond`` are
    in no stack.
    """
    runs_of = {n: numbers(n) for n in checkpoint.tensors if not n.startswith(beyond)}
    counts: dict[str, int] = {}
    deep: set[str] = set()
    for name, runs in runs_of.items():
        for path, number in runs:
            counts[path] = max(counts.get(path, 0), number + 1)
            if path not in deep and name.count(".") > path.count(".") + 2 - (not path):
                deep.add(path)
    depths = set(_depths(checkpoint.config))
    places: dict[str, tuple[str, int]] = {}
    for name, runs in runs_of.items():
        legal = [run for run in runs if run[0] in deep]
        if not legal:
            continue
        outer = counts[legal[0][0]]
        inner = [run for run in legal if outer not in depths and outer < counts[run[0]] in depths]
        places[name] = (inner or legal)[0]
    sizes = Counter(path for path, _ in places.values())
    return {path: LayerStack(path, counts[path], sizes[path]) for path in sorted(sizes)}, places


def layers_beyond(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return how the names begin of layers that are numbered on from the model's own.

    DeepSeek-V3's ``model.layers.61.`` predicts the token after the next; the model has layers 0
    to 60.
    """
    text = text_section(checkpoint.config)
    depth = next((text[key] for key in NUM_LAYERS if type(text.get(key)) is int), None)
    if depth is None or not any(text.get(key) for key in _PREDICTS_BEYOND):
        return ()
    runs = (numbers(name)[:1] for name in checkpoint.tensors)
    outer = {run[0] for run in runs if run}
    last = {path: max(n for p, n in outer if p == path) for path, _ in outer}
    stacks = {path for path, _ in outer if last[path] >= depth and (path, depth - 1) in outer}
    return tuple(sorted(f"{p}.{n}." for p, n in outer if p in stacks and n >= depth))


def roots_of(
    stacks: Mapping[str, LayerStack],
    vocabulary: Mapping[str, tuple[int, ...]],
    checkpoint: Checkpoint,
    beyond: tuple[str, ...],
) -> tuple[dict[str, str], frozenset[str]]:
    """Return each module's root, the main module first, and which only predict further tokens."""
    predicting = {}
    for path in stacks:
        parts = path.split(".")
        depth = next((i for i, part in enumerate(parts) if _PREDICTS.fullmatch(part)), None)
        if depth is not None:
            predicting[parts[depth]] = "".join(f"{part}." for part in parts[: depth + 1])
    predicting |= {f"{_BEYOND}_{i}" if i else _BEYOND: root for i, root in enumerate(beyond)}
    own = [path for path in stacks if not path.startswith(tuple(predicting.values()))]
    roots = _split(own)
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

    main = min(roots, key=rank)
    if is_composite(checkpoint.config):  # the main one may hold a tower and its language model
        inner = _split([path for path in own if path.startswith(roots[main])])
        if len(inner) > 1 and len(roots) > 1 and not {*inner} <= {*HALVES}:
            roots = {name: root for name, root in roots.items() if name != main} | inner
    ordered = {module: roots[module] for module in sorted(roots, key=rank)}
    return ordered | predicting, frozenset(predicting)


def _split(paths: Sequence[str]) -> dict[str, str]:
    """Return modules and their roots: stacks are told apart where their paths first differ."""
    split = [path.split(".") for path in paths]
    shared = 0
    while all(len(path) > shared + 1 for path in split) and (
        len({path[shared] for path in split}) == 1
    ):
        shared += 1
    if len({path[shared] for path in split}) < 2:  # one stack, or its path begins another's
        return {DEFAULT: ""}
    roots = {}
    for path in split:
        bare = len(path) == shared + 1  # the layers lie next to the module's other tensors
        roots[path[shared]] = "".join(f"{p}." for p in path[: shared if bare else shared + 1])
    return roots


def vocabulary_of(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the matrices with a row for each token: embeddings and heads."""
    said = [section.get("vocab_size") for section in _sections(checkpoint.config)]
    sizes = {size for size in said if type(size) is int}
    return {
        name: info.shape
        for name, info in checkpoint.tensors.items()
        if len(info.shape) == 2
        and (info.shape[0] in sizes or name.endswith(("lm_head.weight", "embed_tokens.weight")))
        and not _NUMBER.search(name)
    }


def _sections(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a config and the sections in it, at any depth, outer ones first."""
    inner = [_sections(value) for value in config.values() if isinstance(value, dict)]
    return [config, *(section for sections in inner for section in sections)]


def _depths(config: Mapping[str, Any]) -> list[int]:
    """Return the numbers of layers that a config and its sections give, its own first."""
    items = [item for section in _sections(config) for item in section.items()]
    return [value for key, value in items if DEPTH.search(key) and type(value) is int]


def text_section(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a config that describes the language model."""
    section = config.get("text_config")
    return section if isinstance(section, dict) else config


def is_composite(config: Mapping[str, Any]) -> bool:
    """Return whether a config joins models of different kinds, each in a section of its own.

    An encoder-decoder is one model: both its halves are merged.
    """
    sections = [value for value in config.values() if isinstance(value, dict) and _depths(value)]
    return bool(sections) and not config.get("is_encoder_decoder", False)
