"""What transformers' reading of a config says of each layer, also where config.json leaves it out.

Gemma 2 takes every second layer's attention for a sliding window, Qwen 2 that of the layers from
``max_window_layers`` on. Nothing here knows such rules: transformers reads the config, and its
lists with an entry for each layer are the layers' kinds.
"""

import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stages.checkpoint.model_config.config_reading import read_config
from stages.errors import RecipeError
from stages.merge.architecture.layer_kinds import entry_lists, is_by_layer, number_lists

if TYPE_CHECKING:
    from transformers import PretrainedConfig

Config = Mapping[str, Any]
_COUNT = "num_hidden_layers"  # transformers' own name; its configs know it under every spelling
_CYCLE = "block_types"  # of RecurrentGemma: kinds that take turns, as many as the file lists
# Lists whose entry says that a layer uses what the last one of another kind chose.
_BORROWS = {"indexer_types": "shared"}
# Lists that say which layer another takes its keys and values from, by that layer's number.
_POINTERS = ("kv_source_layers",)


class ConfiguredLayers:
    """The layers of one module of a model as transformers reads its config.

    ``section`` is ``encoder`` or ``decoder``, or empty for the language model. ``is_known`` is
    false where transformers does not know the type; nothing is then known of the layers.
    """

    def __init__(self, config: Config, section: str = "") -> None:
        self._read = _section(config, section)

    @property
    def is_known(self) -> bool:
        """Whether transformers reads the config, and counts the layers in it."""
        return self._read is not None

    @cached_property
    def depth(self) -> int:
        """The number of layers."""
        return int(getattr(self._read, _COUNT, 0))

    @cached_property
    def count_key(self) -> str:
        """The key that holds the number of layers, as ``n_layer``."""
        names: Mapping[str, str] = getattr(type(self._read), "attribute_map", {})
        return names.get(_COUNT, _COUNT)

    @cached_property
    def written(self) -> dict[str, list[Any]]:
        """The lists that a config.json can hold: of entries, and of layers' numbers."""
        values = {} if self._read is None else self._read.to_dict()
        lists = {key: list(value) for key, value in values.items() if _is_list(value)}
        if lists.get(_CYCLE):
            lists[_CYCLE] = (lists[_CYCLE] * self.depth)[: self.depth]
        return self._by_layer(lists)

    @cached_property
    def kinds(self) -> dict[str, list[Any]]:
        """What is said of each layer, an entry for each: what is written, and what follows."""
        known = self.written | self._by_layer(self._derived())
        numbers = number_lists(known, self.depth)
        kinds = {
            key: [i in value for i in range(self.depth)] if key in numbers else value
            for key, value in known.items()
        }
        for key in _POINTERS:
            if key in kinds and key not in numbers:
                kinds[key] = [source - i for i, source in enumerate(kinds[key])]
        shared = getattr(self._read, "num_kv_shared_layers", None) or 0
        if shared:  # the last layers take the keys and values of earlier ones
            kinds["num_kv_shared_layers"] = [i >= self.depth - shared for i in range(self.depth)]
        overrides = self._overrides()
        if any(overrides):
            kinds["per_layer_config"] = overrides
        return kinds

    def _overrides(self) -> list[Any]:
        spec = getattr(self._read, "_heterogeneity_spec", None)
        given = getattr(spec, "per_layer_overrides", {})
        return [given.get(i, {}) for i in range(self.depth)]

    def _derived(self) -> dict[str, list[Any]]:
        """Return the lists that the config's class works out when it is asked."""
        kind = type(self._read)
        lists: dict[str, list[Any]] = {}
        for name in dir(kind):
            is_derived = isinstance(inspect.getattr_static(kind, name), property | cached_property)
            if is_derived and is_by_layer(name):
                with suppress(Exception):  # a property may refuse what its config says
                    value = getattr(self._read, name)
                    lists |= {name: list(value)} if _is_list(value) else {}
        return lists

    def _by_layer(self, lists: dict[str, list[Any]]) -> dict[str, list[Any]]:
        keys = (*number_lists(lists, self.depth), *entry_lists(lists, self.depth))
        return {key: lists[key] for key in keys}


def check_child(child: ConfiguredLayers, sources: Sequence[tuple[ConfiguredLayers, int]]) -> None:
    """Check that transformers reads of each layer of the child what it read of it before.

    ``sources`` are where the child's layers come from: a model's layers, and the number in them.

    Raises:
        RecipeError: a layer would be of another kind, and config.json has no way to say so; or it
            lacks an earlier layer that it needs.
    """
    if not child.is_known or child.depth != len(sources):
        raise RecipeError(
            f"transformers does not accept the config of the child, which has {len(sources)} "
            "layers. Keep the layers that the model has, in their order."
        )
    for key, borrows in _BORROWS.items():
        if child.kinds.get(key, [None])[0] == borrows:
            raise RecipeError(
                f"layer 0 of the child uses what an earlier layer chose ({key}: {borrows}), and "
                "none stands before it. Begin with a layer of another kind."
            )
    for layer, (model, number) in enumerate(sources):
        for key in sorted({*child.kinds, *model.kinds}):
            before = _entry(model.kinds, key, number)
            after = _entry(child.kinds, key, layer)
            if before != after:
                raise RecipeError(
                    f"layer {layer} of the child was layer {number} of its model, where "
                    f"transformers reads {key} as {before!r}; in the child it reads {after!r}, "
                    "because it tells this by a layer's number. Put only layers of that kind "
                    f"at {layer}."
                )


def _entry(kinds: Mapping[str, list[Any]], key: str, layer: int) -> Any:
    return kinds[key][layer] if key in kinds and layer < len(kinds[key]) else None


def _section(config: Config, section: str) -> "PretrainedConfig | None":
    read = read_config(config)
    part = getattr(read, section, None) if section else _language_model(read)
    return part if type(getattr(part, _COUNT, None)) is int else None


def _language_model(read: "PretrainedConfig | None") -> "PretrainedConfig | None":
    if read is None:
        return None
    try:
        return read.get_text_config(decoder=True)
    except ValueError:  # it has several; which is meant cannot be told
        return None


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)
