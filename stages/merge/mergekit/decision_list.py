"""Values by filters tried in order, as MergeKit files give them: the first that matches counts."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

V = TypeVar("V")
Item = tuple[str, V]  # a tensor's name, and its value


def decision_list(items: Sequence[Item[V]], parts: Sequence[str]) -> list[tuple[str | None, V]]:
    """Return filters with their values, the last without a filter, that fit every item.

    ``parts`` are tried as filters before names in full (Rivest 1987, "Learning decision lists": as
    long as some order of these filters fits, taking any that fits what is left leads to one).
    """
    entries = _entries(list(items), parts)
    for entry in list(entries[:-1]):
        shorter = [other for other in entries if other is not entry]
        if all(_first(shorter, name) == value for name, value in items):
            entries = shorter
    return entries


def _entries(left: list[Item[V]], parts: Sequence[str]) -> list[tuple[str | None, V]]:
    entries: list[tuple[str | None, V]] = []
    while len({repr(value) for _, value in left}) > 1:
        part = next(_fitting(left, parts))
        entries.append((part, next(value for name, value in left if part in name)))
        left = [item for item in left if part not in item[0]]
    return [*entries, (None, left[0][1])]


def _fitting(left: Sequence[Item[V]], parts: Sequence[str]) -> Iterator[str]:
    """Give the filters that match something, all of one value; some name in full always does.

    Names of the rarest value come first, and among them the longest, which is part of no other.
    """
    counts = Counter(repr(value) for _, value in left)
    rare = sorted(left, key=lambda item: (counts[repr(item[1])], -len(item[0]), item[0]))
    for part in (*parts, *(name for name, _ in rare)):
        if len({repr(value) for name, value in left if part in name}) == 1:
            yield part


def _first(entries: Sequence[tuple[str | None, V]], name: str) -> V:
    return next(value for part, value in entries if part is None or part in name)
