"""Which row of the lineage a word means: a name, or how a recipe id or weights hash begins."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from stages.errors import LineageError
from stages.lineage.rows import Row

MIN_DIGITS = 4  # of an id or hash: a shorter beginning is said to be too short
_HEX = re.compile(r"[0-9a-f]{1,64}")
_MOST_LISTED = 5


def row_named(rows: Sequence[Row], word: str, source: Path, others: Sequence[str] = ()) -> Row:
    """Return the row that ``word`` means; ``source`` is the file that the rows are from.

    Rows with one id are one recipe, and the first of them is returned. ``others`` are what the
    caller takes besides, such as ``champion``: a slip of one is answered with it.

    Raises:
        LineageError: it means none, and the nearest names are said, or several, and they are
            listed. The caller says which word it is.
    """
    rows_meant = _meant(rows, word)
    if len({row.id for row in rows_meant}) == 1 and (
        rows_meant[0].name == word or len(word) >= MIN_DIGITS
    ):
        return rows_meant[0]
    if not rows_meant:
        raise LineageError(
            f"not a candidate of {source}, which holds {content_of(rows)}."
            f"{_suggestion(near_names(rows, word, others))} Give a candidate by its name, or by "
            f"at least {MIN_DIGITS} digits with which its recipe id or weights hash begins."
        )
    listed = _listed([f"{row.name} ({row.id[:16]})" for row in rows_meant])
    if len(word) < MIN_DIGITS:
        raise LineageError(
            f"too few digits of a candidate's id or weights hash. Give at least {MIN_DIGITS}, or "
            f"the name. It begins those of {listed} in {source}."
        )
    raise LineageError(
        f"begins the ids or weights hashes of {len(rows_meant)} candidates of {source}: {listed}. "
        "Give one of their names, or more digits."
    )


def means_a_row(rows: Sequence[Row], word: str, others: Sequence[str] = ()) -> bool:
    """Return whether ``word`` is, begins, or looks like a slip of, a name, id or hash of a row."""
    return bool(_meant(rows, word) or near_names(rows, word, others))


def near_names(rows: Sequence[Row], word: str, others: Sequence[str] = ()) -> list[str]:
    """Return up to three names of rows, or ``others``, that ``word`` may be a slip of.

    The nearest is first; capitals, separators and leading zeros do not count: ``G5_C3`` is
    nearest to ``g05-c03``.
    """
    names = [row.name for row in rows]
    same = [name for name in names if _numbers(name) and _numbers(name) == _numbers(word)]
    close = get_close_matches(word.lower(), [*names, *others], n=3, cutoff=0.6)
    return list(dict.fromkeys([*same, *close]))[:3]


def content_of(rows: Sequence[Row]) -> str:
    """Return in words how many candidates there are and how they are called.

    Those of a search in one half of the space, such as ``layers g00-c03``, are counted apart.
    """
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row.name.rpartition(" ")[0], []).append(row.name)
    counts = [_content_of_one(half, group) for half, group in names.items()]
    return "; ".join(counts) or "no candidate"


def _content_of_one(half: str, names: Sequence[str]) -> str:
    search = f" of the search in {half} alone" if half else ""
    if len(names) == 1:
        return f"one candidate{search}, {names[0]}"
    return f"{len(names)} candidates{search}, {names[0]} to {names[-1]}"


def _meant(rows: Sequence[Row], word: str) -> list[Row]:
    """Return the row of that name; else the first row of each id that ``word`` begins."""
    named = [row for row in rows if row.name == word]
    if named or not _HEX.fullmatch(word):
        return named
    begun = [row for row in rows if row.id.startswith(word)]
    if not begun:
        begun = [row for row in rows if (row.weights_hash or "").startswith(word)]
    return list({row.id: row for row in reversed(begun)}.values())[::-1]


def _numbers(word: str) -> list[str]:
    """Return the numbers of a candidate's name without leading zeros; of other words nothing."""
    match = re.fullmatch(r"g?0*(\d+)[-_. ]?c0*(\d+)", word.strip().lower(), re.ASCII)
    return list(match.groups()) if match else []


def _suggestion(names: Sequence[str]) -> str:
    if not names:
        return ""
    *first, last = (repr(name) for name in names)
    return f" Did you mean {', '.join(first)} or {last}?" if first else f" Did you mean {last}?"


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST_LISTED
    return ", ".join(texts[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
