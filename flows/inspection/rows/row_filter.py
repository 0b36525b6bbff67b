"""Which rows of a lineage are meant: comparisons that a person types, and an order.

Comparisons are parsed here and never evaluated as code: pandas.query would run what they say.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.errors import LineageError
from stages.hashing import nearest
from stages.lineage.evaluation import SPLITS

Record = Mapping[str, Any]

_COMPARISON = re.compile(
    r"(?P<key>.+?)\s*(?P<sign>>=|<=|!=|==|=|>|<|~)\s*(?P<value>.*)", re.DOTALL
)
_NOTHING = "none"
_MANY = ("gene.", "parent.", "environment.")
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_ALIASES = {"items": "num_items", "stderr": "fitness_stderr", "weights": "weights_hash"}


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison, such as ``fitness > 0.7``; ``value`` is None for ``none``: no value."""

    key: str
    sign: str
    value: float | str | None

    def holds(self, record: Record) -> bool:
        """Return whether a row meets it; one without a value there meets ``!=`` and ``none``."""
        cell = record.get(self.key)
        if self.value is None:
            return (cell is None) == (self.sign != "!=")
        if self.sign == "~":
            return cell is not None and str(self.value).lower() in str(cell).lower()
        if _is_number(cell) != _is_number(self.value):
            return self.sign == "!="
        return _SIGNS[self.sign](cell if _is_number(cell) else str(cell), self.value)


def key_of(text: str, records: Sequence[Record]) -> str:
    """Return the column that a person means: its name, a task, or a split and a task.

    A task alone means its search score, a split and a task the score there.

    Raises:
        LineageError: there is no such column; the nearest are said.
    """
    columns = columns_of(records)
    word = text.strip()
    for name in (word, _ALIASES.get(word, word), f"{SPLITS[0]}.{word}.score", f"{word}.score"):
        if name in columns:
            return name
    for name in (f"gene.{word}", f"parent.{word}"):
        if name in columns:
            return name
    short = list(dict.fromkeys(_spoken(name) for name in columns))
    general = [name for name in short if not name.startswith(_MANY) and "." not in name]
    raise LineageError(
        f"{word!r}: not a column of the lineage.{nearest(word, [*short, *columns])} Legal: "
        f"{', '.join(general)}; SPLIT.TASK, as {SPLITS[-1]}.{_example(columns)}; and every other "
        "column of --csv."
    )


def columns_of(records: Sequence[Record]) -> list[str]:
    """Return the columns that any row has, in order."""
    return list(dict.fromkeys(key for record in records for key in record))


def comparison_in(text: str) -> re.Match[str]:
    """Return the ``key``, ``sign`` and ``value`` of a comparison that a person typed.

    Raises:
        LineageError: it is not one.
    """
    match = _COMPARISON.fullmatch(text.strip())
    if match is None:
        raise LineageError(
            f"{text!r}: not a comparison. Write COLUMN, one of >= <= > < = != ~ and a value, such "
            "as fitness>0.7, method=ties or ancestors~g03-c01."
        )
    return match


def condition_of(text: str, records: Sequence[Record]) -> Condition:
    """Return the comparison that a person typed.

    Raises:
        LineageError: it is not one, its column is unknown, or text stands where a number must.
    """
    match = comparison_in(text)
    key, sign, given = key_of(match["key"], records), match["sign"], match["value"].strip()
    if given == _NOTHING and sign in ("=", "==", "!="):
        return Condition(key, sign, None)
    is_number = any(_is_number(record.get(key)) for record in records)
    if not is_number or sign == "~":
        return Condition(key, sign, given)
    try:
        return Condition(key, sign, float(given))
    except ValueError as error:
        raise LineageError(
            f"{text!r}: {given!r} is not a number, and {key} holds numbers. Give one, or none."
        ) from error


def ordered(
    records: Sequence[Record], key: str, *, reverse: bool, lower_is_better: bool
) -> list[Record]:
    """Return the rows by a column, the best or the first of the alphabet first, None last.

    Equal rows stay in the order of the lineage.
    """
    known = [record for record in records if record.get(key) is not None]
    best_first = is_score(key) and not lower_is_better
    known.sort(key=lambda record: _order(record[key]), reverse=best_first)
    if reverse:
        known.sort(key=lambda record: _order(record[key]), reverse=not best_first)
    return [*known, *(record for record in records if record.get(key) is None)]


def _example(columns: Sequence[str]) -> str:
    scores = (name for name in columns if name.endswith(".score"))
    return next(scores, "search.TASK.score").split(".", 1)[1].removesuffix(".score")


def is_score(key: str) -> bool:
    """Return whether a column is better or worse, not only more or less."""
    return key == "fitness" or key.endswith(".score")


def _order(cell: Any) -> tuple[bool, float, str]:
    return (True, cell, "") if _is_number(cell) else (False, 0.0, str(cell))


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _spoken(column: str) -> str:
    """Return a column as a person names it: ``TASK`` for ``search.TASK.score``."""
    return column.removeprefix(f"{SPLITS[0]}.").removesuffix(".score")
