"""Filters that are part of no tensor's name: most often a typing mistake."""

from collections.abc import Iterable, Iterator

from stages.merge.mergekit.gradients_and_filters import matches
from stages.merge.mergekit.schema import Config, Entry
from stages.merge.plan.child_rows import ChildRow


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


def entries_of(config: Config) -> Iterator[Entry]:
    """Give every value that a document gives, at every level."""
    levels = [config.values]
    for module in config.modules:
        levels.append(module.values)
        for part in module.slices:
            levels.append(part.values)
            levels += [source.values for source in part.inputs]
    for values in levels:
        for entries in values.values():
            yield from entries
