"""Which value a parameter has for a tensor: precedence, filters and gradients."""

import math
from collections.abc import Sequence

from stages.merge.mergekit.schema import Entry, Values


def resolve(name: str, levels: Sequence[Values], tensor: str, t: float) -> float | str | None:
    """Return a parameter's value for a tensor from the first level that has one for it.

    ``levels`` go from the narrowest to the widest: source, slice, module, document. A level whose
    filters all miss the tensor's name is passed over. None where every level is.
    """
    entries = (entry for values in levels for entry in values.get(name, ()))
    entry = next((entry for entry in entries if matches(entry, tensor)), None)
    if entry is None:
        return None
    return gradient(entry.anchors, t) if entry.choice is None else entry.choice


def matches(entry: Entry, tensor: str) -> bool:
    """Return whether an entry is for a tensor: a filter is any part of its name."""
    return entry.filter is None or entry.filter in tensor


def gradient(anchors: Sequence[float], t: float) -> float:
    """Return the value at ``t`` in [0, 1] on the line through evenly spaced anchors."""
    position = t * (len(anchors) - 1)
    low = math.floor(position)
    high = min(len(anchors) - 1, low + 1)
    share = position - low
    if share == 0.0:
        return anchors[low]
    return (1.0 - share) * anchors[low] + share * anchors[high]
