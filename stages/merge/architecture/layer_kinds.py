"""Layers of several kinds (dense or with experts, attention or state space) that change places.

A config tells the kinds by lists, which can follow the layers, or by a rule of their numbers
(``first_k_dense_replace``, ``attn_layer_period``), which cannot: transformers would look for the
tensors of another kind, not find them, and make random ones.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from stages.checkpoint.reader import Checkpoint
from stages.errors import RecipeError
from stages.merge.architecture.components import is_buffer
from stages.merge.architecture.layout import layout_of

Section = Mapping[str, Any]
Kind = frozenset[str]  # the names of a layer's tensors, without the layer

_NUMBER_LISTS = (  # which may be empty
    *("mlp_only_layers", "moe_layers", "cross_attention_layers", "full_attn_idxs"),
    *("attn_layer_indices", "rope_scaling_layers"),
)
_ENTRY_LISTS = (  # that are not called after layers
    *("activation_sparsity_pattern", "block_configs", "ffn_multipliers", "intermediate_size"),
    *("num_attention_heads", "num_key_value_heads", "num_kv_heads", "num_query_heads"),
    *("block_types", "indexer_types", "kv_sharing_modes"),
)
OVERRIDES = "per_layer_config"  # {number of a layer: keys that have another value there}
_OF_OTHERS = ("mtp_", "vision_")  # layers that are not those of the language model


def is_by_layer(key: str) -> bool:
    """Return whether a key's list may say something of each layer of the language model."""
    is_known = "layer" in key or key in (*_NUMBER_LISTS, *_ENTRY_LISTS)
    return is_known and not key.startswith(_OF_OTHERS)


def number_lists(section: Section, depth: int | None) -> list[str]:
    """Return the keys whose lists hold numbers of layers, as ``mlp_only_layers``."""
    return [
        key
        for key, value in section.items()
        if isinstance(value, list)
        and is_by_layer(key)
        and (key in _NUMBER_LISTS or (key not in _ENTRY_LISTS and _are_layers(value, depth or 0)))
    ]


def entry_lists(section: Section, depth: int | None) -> list[str]:
    """Return the keys whose lists hold an entry for each layer, as ``layer_types``."""
    numbered = number_lists(section, depth)
    return [
        key
        for key, value in section.items()
        if isinstance(value, list)
        and len(value) == depth
        and is_by_layer(key)
        and key not in numbered
    ]


def _are_layers(values: Sequence[Any], depth: int) -> bool:
    """Return whether a list rises from layer to layer; two flags of two layers do not count."""
    if not values or len(values) == depth <= 2:
        return False
    are_whole = all(type(value) is int and 0 <= value < depth for value in values)
    return are_whole and all(low < high for low, high in pairwise(values))


def kinds_of(model: Checkpoint) -> list[Kind]:
    """Return the kind of each layer of a model's main module."""
    layout = layout_of(model)
    names: dict[int, set[str]] = {}
    for name, (path, layer) in layout.places.items():
        is_weight = not is_buffer(name, model.tensors[name].shape)
        if is_weight and layout.module_of(name) == layout.main:
            names.setdefault(layer, set()).add(name[len(path) :].lstrip(".").partition(".")[2])
    return [frozenset(names.get(layer, ())) for layer in range(max(names, default=-1) + 1)]


def check_kinds(
    frame: tuple[Section, Sequence[Kind]], child: tuple[Section, Sequence[Kind]]
) -> None:
    """Check that the child's section of the config gives each of its layers the kind that it is.

    Raises:
        RecipeError: lists do not tell the kinds, and the layers' numbers would tell others.
    """
    (section, kinds), (_, child_kinds) = frame, child
    entries, numbers = entry_lists(section, len(kinds)), number_lists(section, len(kinds))
    kind_of: dict[str, Kind] = {}
    are_listed = bool(entries or numbers) and all(
        kind_of.setdefault(said, kind) == kind
        for config, layers in (frame, child)
        for said, kind in zip(_said(config, entries, numbers, len(layers)), layers, strict=True)
    )
    if not are_listed and not _goes_on(kinds, child_kinds):
        raise RecipeError(
            "layers differ in the tensors that they have, and only their numbers say "
            "which is of which kind. This merge puts a layer where one of another kind would be; "
            "keep the kinds in the order that they have in the model."
        )


def listed_kinds(section: Section, depth: int) -> list[str]:
    """Return what the lists of a section say of each layer, as one string."""
    return _said(section, entry_lists(section, depth), number_lists(section, depth), depth)


def _said(
    section: Section, entries: Sequence[str], numbers: Sequence[str], depth: int
) -> list[str]:
    """Return what the lists of a section say of each layer."""
    return [
        json.dumps([[section[k][i] for k in entries], [i in section[k] for k in numbers]])
        for i in range(depth)
    ]


def _goes_on(kinds: Sequence[Kind], child_kinds: Sequence[Kind]) -> bool:
    """Return whether the child's kinds are the frame's as its rule would continue them.

    The rule may set the first layer, or quarter of the layers, apart; what follows repeats itself.
    """
    depth = len(kinds)
    for period in range(1, depth // 2 + 1):
        first = max(1, depth // 4)
        if all(kinds[i] == kinds[i + period] for i in range(first, depth - period)):
            longer = list(kinds)
            while len(longer) < len(child_kinds):
                longer.append(longer[-period])
            return list(child_kinds) == longer[: len(child_kinds)]
    return list(child_kinds) == list(kinds[: len(child_kinds)])
