"""What a check says: what it compared, what differs, and what it could not check."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

_MOST_SHOWN = 120  # characters of a value
_ABSENT = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not what it should be: where, what is recorded, and what is so now."""

    where: str
    recorded: str
    now: str

    def of(self, whole: object) -> "Difference":
        """Return the difference as one of ``whole``, of which a part was compared."""
        return replace(self, where=f"{whole}, {self.where}" if self.where else str(whole))

    def __str__(self) -> str:
        return f"{self.where}: recorded {self.recorded}, now {self.now}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of one check.

    ``checked`` says in words what was compared; ``unchecked`` what was not, and why.
    """

    check: str
    checked: str
    differences: tuple[Difference, ...] = ()
    unchecked: tuple[str, ...] = field(default=())

    @property
    def agrees(self) -> bool:
        """True where nothing differs."""
        return not self.differences


def differences_in(whole: object, recorded: Any, now: Any) -> Iterator[Difference]:
    """Yield each difference of two pieces of JSON data, in the order of their keys and places.

    ``whole`` is what the data are called.
    """
    if isinstance(recorded, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*recorded, *now]):
            if key in recorded and key in now:
                parts = differences_in(key, recorded[key], now[key])
            else:
                values = (shown(data.get(key, _ABSENT)) for data in (recorded, now))
                parts = iter((Difference(key, *values),))
            yield from (part.of(whole) for part in parts)
    elif _is_list(recorded) and _is_list(now):
        for number, pair in enumerate(zip_longest(recorded, now, fillvalue=_ABSENT)):
            parts = differences_in(_label(number, *pair), *pair)
            yield from (part.of(whole) for part in parts)
    elif recorded != now:
        yield Difference(str(whole), shown(recorded), shown(now))


def shown(value: Any) -> str:
    """Return a value as a message holds it."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _label(number: int, one: Any, other: Any) -> str:
    """Return what an entry of a list is called: by its name or its task where it has one."""
    for entry in (one, other):
        if isinstance(entry, Mapping):
            name = entry.get("name") or entry.get("task")
            if isinstance(name, str):
                return name
    return f"entry {number + 1}"


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
