"""One rule: under which keys of a model's small files what kind of value is legal."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stages.checkpoint.tokenizer_vocabulary import MAX_IDS

_LARGEST = 1 << 63  # sizes of tensors and positions fit 64 bits
_MOST_SHOWN = 80  # characters of a value


@dataclass(frozen=True, slots=True)
class ValueRule:
    """What is legal under the keys whose whole name matches; ``legal`` says it in words."""

    keys: re.Pattern[str]
    is_legal: Callable[[Any], bool]
    legal: str

    def fault(self, key: str, value: Any) -> str | None:
        """Return what is wrong with the value of a key, or None."""
        if value is None or self.is_legal(value):
            return None
        return f"{key} is {value!r:.{_MOST_SHOWN}}. Legal is {self.legal}"


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number."""
    return type(value) in (int, float) and math.isfinite(value)


def is_above_zero(value: Any) -> bool:
    """Return whether a value is a finite number above 0."""
    return is_number(value) and value > 0


def is_from_zero(value: Any) -> bool:
    """Return whether a value is a finite number from 0."""
    return is_number(value) and value >= 0


def is_whole(value: Any, least: int = 0) -> bool:
    """Return whether a value is a whole number from ``least`` that fits 64 bits."""
    return type(value) is int and least <= value < _LARGEST


def is_text(value: Any) -> bool:
    """Return whether a value is a text."""
    return isinstance(value, str)


def is_name(value: Any) -> bool:
    """Return whether a value is a text with something in it."""
    return isinstance(value, str) and bool(value)


def is_switch(value: Any) -> bool:
    """Return whether a value is true or false."""
    return isinstance(value, bool)


def is_table(value: Any) -> bool:
    """Return whether a value is an object."""
    return isinstance(value, Mapping)


def is_id(value: Any) -> bool:
    """Return whether a value is an id, or -1, which is a spelling of none."""
    return type(value) is int and -1 <= value < MAX_IDS


def one_or_list(is_legal: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return what finds one legal value, or a list of them, legal."""
    return lambda value: all(map(is_legal, value if isinstance(value, list) else [value]))


def list_of(is_legal: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return what finds a list of legal values legal."""
    return lambda value: isinstance(value, list) and all(map(is_legal, value))


def rule(keys: str, is_legal: Callable[[Any], bool], legal: str) -> ValueRule:
    """Return the rule for the keys that any of some expressions matches, which spaces divide."""
    return ValueRule(re.compile("|".join(keys.split())), is_legal, legal)


def faults_of(
    rules: tuple[ValueRule, ...], data: Mapping[str, Any], prefix: str = ""
) -> Iterator[str]:
    """Give what is wrong with the values of an object by some rules, a sentence for each."""
    for key, value in data.items():
        first = next((rule for rule in rules if rule.keys.fullmatch(key)), None)
        fault = first.fault(f"{prefix}{key}", value) if first else None
        if fault is not None:
            yield fault
