"""Write the table of readings in docs/tasks.md from the table that the tests read.

Run it by ``make docs`` after a change of tests/evaluate/measures/numerals.tsv; a test holds the
file to it.
"""

import json
import re
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

DOCS = Path("docs/tasks.md")
TABLE = Path(__file__).parents[1] / "tests/evaluate/measures/numerals.tsv"
BEGIN, END = "<!-- from tests/evaluate/measures/numerals.tsv, by `make docs` -->", "<!-- end -->"
_BLOCK = re.compile(rf"(?s){re.escape(BEGIN)}\n.*?{re.escape(END)}")
_UNSEEN = "\u00a0\u202f\u2009\u2006\u2007\u200a\u00ad\u200b\u200e\u2060\n"


class Reading(NamedTuple):
    """How a text is read with a decimal mark: its last number, or None."""

    group: str
    decimal: str
    number: str | None
    text: str


def readings() -> list[Reading]:
    """Return the readings of the table, in its order."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()[1:]
    cells = [line.split("\t") for line in lines]
    return [Reading(g, d, None if n == "none" else n, json.loads(t)) for g, d, n, t in cells]


def updated(text: str) -> str:
    """Return the document with its table as the tests have it."""
    rows = [_row(group, list(of)) for group, of in groupby(readings(), key=lambda r: r.group)]
    table = "\n".join(["| | written → read |", "| --- | --- |", *rows])
    return _BLOCK.sub(lambda _: f"{BEGIN}\n{table}\n{END}", text)


def _row(group: str, of: list[Reading]) -> str:
    runs = groupby(of, key=lambda reading: reading.number)
    cells = [
        f"{', '.join(_quoted(r.text) for r in run)} → {(number or 'none').replace('-', '−')}"  # noqa: RUF001
        for number, run in runs
    ]
    return f"| {group} | {'; '.join(cells)} |"


def _quoted(text: str) -> str:
    """Return ``text`` as code in a table's cell, with what cannot be seen written out."""
    for char in _UNSEEN:
        text = text.replace(char, json.dumps(char)[1:-1])
    marks = "``" if "`" in text else "`"
    pad = " " if "`" in text else ""
    return f"{marks}{pad}{text}{pad}{marks}".replace("|", "\\|")


if __name__ == "__main__":
    DOCS.write_text(updated(DOCS.read_text(encoding="utf-8")), encoding="utf-8")
