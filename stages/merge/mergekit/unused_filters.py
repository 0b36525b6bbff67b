"""Filters that are part of no tensor's name, or of other tensors' names in MergeKit.

MergeKit goes by the names that transformers has in memory, germline by those in the files. Where
transformers joins the experts of a layer into one tensor, a filter can mean different tensors.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from stages.checkpoint.reader import Checkpoint
from stages.merge.mergekit.gradients_and_filters import matches
from stages.merge.mergekit.schema import Config, Entry
from stages.merge.plan.child_rows import ChildRow

_EXPERT = re.compile(r"experts\.\d+\.")


def unused_filters(config: Config, rows: Iterable[ChildRow]) -> list[str]:
    """Return a note for each filter that no tensor of the child or of its models goes by.

    That is not an error: a file for models with heads may be used on models without.
    """
    merged = [row for row in rows if not row.is_copied]
    names = {name for row in merged for name in (row.key, *(part.name for part in row.parts))}
    return list(
        dict.fromkeys(
            f"{config.where}: the filter {entry.filter!r} is part of no tensor's name; its value "
            "is not used."
            for entry in entries_of(config)
            if not any(matches(entry, name) for name in names)
        )
    )


def ambiguous_filters(config: Config, rows: Iterable[ChildRow], frame: Checkpoint) -> list[str]:
    """Return a fault for each filter that means other tensors by the names in memory."""
    filters = [entry.filter for entry in entries_of(config) if entry.filter is not None]
    keys = [row.key for row in rows if not row.is_copied]
    if not filters or not any(_EXPERT.search(key) for key in keys):
        return []
    memory = _names_in_memory(keys, frame.config)
    return [
        f"the filter {part!r} matches {_example(by_file)} by the names in the file, but "
        f"{_example(by_memory, memory)} by the names that transformers has in memory, which "
        "MergeKit goes by. Give a part that both names have, as self_attn; for single experts, "
        "a recipe's rule with parts (docs/recipes.md)."
        for part in dict.fromkeys(filters)
        if (by_file := [key for key in keys if part in key])
        != (by_memory := [key for key in keys if part in memory[key]])
    ]


def _example(keys: Sequence[str], names: Mapping[str, str] | None = None) -> str:
    """Return how many tensors these are, with the first of them by name."""
    if not keys:
        return "no tensor"
    first = keys[0] if names is None else names[keys[0]]
    return f"{len(keys)} tensors ({first})" if len(keys) > 1 else f"the tensor {first}"


def _names_in_memory(keys: Sequence[str], config: Mapping[str, Any]) -> dict[str, str]:
    """Return what transformers itself calls each tensor of a file once it is loaded."""
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    steps = get_checkpoint_conversion_mapping(str(config.get("model_type"))) or []
    names = {}
    for key in keys:
        name = key
        for step in steps:
            name = step.rename_source_key(name)[0]
        names[key] = name
    return names


def entries_of(config: Config) -> Iterator[Entry]:
    """Give every value that a document gives, at every level."""
    for values in config.levels:
        for entries in values.values():
            yield from entries
