"""Text for a terminal: what files and names hold must not steer it."""

import json
import re
import shutil
import sys
from typing import Any

from rich.console import Console

_WIDE = 10_000  # columns
_STEERING = re.compile(r"[^\x20-\x7e\n]")


def printable(text: str) -> str:
    r"""Return ``text`` with each control character as its escape, such as ``\x1b``.

    Line feeds stay; a carriage return, a mark of direction and half a character do not.
    """
    return _STEERING.sub(lambda match: _escaped(match[0]), text)


def json_text(data: Any, *, sort_keys: bool = False) -> str:
    """Return indented JSON that any parser reads and no terminal obeys.

    Keys are in their own order, or sorted.
    """
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False, sort_keys=sort_keys)
    return _STEERING.sub(lambda match: _in_json(match[0]), text)


def _escaped(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


def _in_json(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]


def plain_console(*, stderr: bool = False) -> Console:
    """Return a console that takes text as it is; a file or a pipe breaks no line."""
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = shutil.get_terminal_size().columns if is_terminal else _WIDE
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


def can_draw(console: Console) -> bool:
    """Return whether a bar may move on ``console``; elsewhere lines say how far a job is.

    Not in a file, nor in a terminal that knows no cursor (``TERM=dumb``), such as an editor's.
    """
    return console.is_terminal and not console.is_dumb_terminal
