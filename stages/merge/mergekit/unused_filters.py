"""Filters that are part of no tensor's name: most often a slip of the pen."""

from collections.abc import Iterable, Iterator

from stages.merge.mergekit.gradients_and_filters import matches
from stages.merge.mergekit.schema import Config, Values
from stages.merge.plan.layer_stacking import Row


def unused_filters(config: Config, rows: Iterable[Row]) -> list[str]:
    """Return a note for each filter that no tensor of the child or of its models goes by.

    That is no error: a file for models with heads may be used on models without.
    """
    names = {name for row in rows if not row.is_copied for name in (row.key, *row.names)}
    found = (entry for values in _levels(config) for value in values.values() for entry in value)
    return list(
        dict.fromkeys(
            f"{config.where}: the filter {entry.filter!r} is part of no tensor's name; its value "
            "is not used."
            for entry in found
            if not any(matches(entry, name) for name in names)
        )
    )


def _levels(config: Config) -> Iterator[Values]:
    yield config.values
    for module in config.modules:
        yield module.values
        for found in module.slices:
            yield found.values
            yield from (source.values for source in found.inputs)
