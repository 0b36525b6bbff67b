"""JSON to plain data, in one way for every file: what no JSON can mean is refused, with its line.

Python's own reader takes the last of two equal keys, makes infinity of 1e999, and lets halves of
characters and nests of any depth through to whoever reads the data later.
"""

import json
import math
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from stages.files import text_of

MAX_DEPTH = 100  # levels of objects in objects; configs of transformers have at most 6
MAX_DIGITS = 40  # of a whole number: tokenizers write "no limit" as a number of 31 digits
_LONG = re.compile(rf"[0-9]{{{MAX_DIGITS + 1}}}")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


def read_json(path: Path, *, constants: Collection[str] = ()) -> Any:
    """Return what the JSON file at ``path`` holds.

    ``constants`` are those of NaN, Infinity and -Infinity that have a meaning there.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, is not UTF-8 or is not JSON; the message begins with the
            line where that is known.
    """
    return json_in(text_of(path), constants=constants)


def json_in(text: str, *, constants: Collection[str] = ()) -> Any:
    """Return what a JSON text holds; every name in an object is there once.

    Raises:
        ValueError: as ``read_json``.
    """
    if not text.strip():
        raise ValueError("it is empty")
    hooks = _Hooks(text, constants)
    try:
        data = json.loads(
            text,
            parse_constant=hooks.constant,
            parse_float=hooks.fraction,
            parse_int=hooks.whole if _LONG.search(text) else None,
            object_pairs_hook=hooks.unique,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: {error.msg}") from error
    except RecursionError as error:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from error
    if "\\ud" in text or "\\uD" in text:  # escapes of surrogates: halves are not characters
        _check_characters(data, text)
    if _is_deeper(data, MAX_DEPTH):
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    return data


class _Hooks:
    """What Python's reader asks about the parts of one text."""

    def __init__(self, text: str, constants: Collection[str]) -> None:
        self._text = text
        self._constants = constants

    def constant(self, word: str) -> float:
        if word not in self._constants:
            raise _fault(self._text, word, f"{word} is not a number")
        return float(word)

    def fraction(self, word: str) -> float:
        number = float(word)
        if math.isinf(number):
            raise _fault(self._text, word, f"{word:.40} is too large for a number")
        if number == 0 and re.search("[1-9]", word.lower().partition("e")[0]):
            raise _fault(self._text, word, f"{word:.40} is too close to 0 for a number. Give 0")
        return number

    def whole(self, word: str) -> int:
        if len(word.lstrip("-")) > MAX_DIGITS:
            problem = f"a number of {len(word)} digits; the most are {MAX_DIGITS}"
            raise _fault(self._text, word, problem)
        return int(word)

    def unique(self, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        data = dict(pairs)
        if len(data) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise _fault(self._text, twice, f"{twice!r:.80} is there twice", is_key=True)
        return data


def _check_characters(data: Any, text: str) -> None:
    try:
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        line = text[: max(text.lower().find(half), 0)].count("\n") + 1
        raise ValueError(f"line {line}: {half} is half of a character") from error


def _is_deeper(data: Any, levels: int) -> bool:
    """Return whether objects and lists are nested in ``data`` deeper than so many levels."""
    layer = [data] if isinstance(data, dict | list) else []
    for _ in range(levels):
        inner = (value.values() if isinstance(value, dict) else value for value in layer)
        layer = [v for values in inner for v in values if isinstance(v, dict | list)]
        if not layer:
            return False
    return bool(layer)


def _fault(text: str, word: str, problem: str, *, is_key: bool = False) -> ValueError:
    """Return the error for a word of ``text``, with its line; for a key, that of its repeat."""
    keys: list[set[str]] = []
    tokens = [*_TOKEN.finditer(text)]
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        spelled = token[0]
        if spelled in ("{", "["):
            keys.append(set())
        elif spelled in ("}", "]"):
            keys.pop()
        elif is_key and following is not None and following[0] == ":":
            name = json.loads(spelled)
            if name == word and name in keys[-1]:
                break
            keys[-1].add(name)
        elif not is_key and spelled == word:
            break
    return ValueError(f"line {text.count(chr(10), 0, token.start()) + 1}: {problem}")
