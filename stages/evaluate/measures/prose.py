r"""Extract the prose of an answer, which shows its language: no code, addresses or quotations.

Left out are code in fences and in backticks, lines of SQL and Python, HTML tags, URLs and e-mail
addresses, LaTeX mathematics and commands, runs that hold a sign of a formula (x=5, f(x)), text
in quotation marks and quoted blocks. In an answer of nothing but quotations the quotations
count: otherwise quoting would be a way round the condition.
"""

import re
from collections.abc import Iterable

# ruff: noqa: RUF001  quotation marks of other scripts are what this module is about
_FENCED = (r"(?ms)^[ \t]*(```|~~~).*?(?:^[ \t]*\1|\Z)", r"`[^`\n]+`")
_CODE = (
    r"(?m)^[ \t]*(?:def|class) \w+.*:[ \t]*$",
    r"(?m)^[ \t]*(?:import \w[\w., ]*|from [\w.]+ import .*|return\b.*[()=\[\]+*/.].*)$",
    r"(?m)^.*[;{}][ \t]*$",
    r"(?s)\b(?:SELECT\b.{1,300}?\bFROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b[^;\n]*;?",
    r"<!--.*?-->|</?[A-Za-z][^<>\n]*>",
)
_FORMULAS = (
    r"(?s)\$\$.{1,1000}?\$\$|\\\[.{1,1000}?\\\]|\\\(.{1,1000}?\\\)",
    r"\$[^$\n]{1,200}\$",
    r"(?a)\b[A-Za-z_][\w.]{0,60}\([^\s()]{0,100}\)",
    r"\\[A-Za-z]+",
)
_SIGNS = "=^+/*<>\u2212\u00d7\u00b7"
_SYMBOL = rf"(?a)\b[A-Za-z](?=\s*[{_SIGNS}-])|(?<=[{_SIGNS}])\s*[A-Za-z]\b"
_NOT_A_WORD = re.compile(
    r"[=^\\<>{}+@#]|\w_\w|://|^\W*www\.|\.(?:com|org|net|edu|gov|io|dev)\b", re.IGNORECASE
)
_PAIRS = ('""', "“”", "„“", "„”", "«»", "»«", "‹›", "「」", "『』", "《》")
_QUOTATIONS = (
    r"(?m)^[ \t]*>.*$",
    *(rf"{pair[0]}[^{pair}\n]{{1,1000}}{pair[1]}" for pair in _PAIRS),
    r"(?<!\w)‘[^‘’\n]{1,1000}’(?!\w)",
    r"(?<!\w)'[^'\n]{1,300} [^'\n]{1,300}'(?!\w)",
)


def prose(answer: str) -> str:
    """Return the prose of ``answer``; it may be empty."""
    rest = _cut(answer, _FENCED)  # first: quotation marks in code are not quotations
    unquoted = _words(_cut(rest, _QUOTATIONS))
    return unquoted if any(char.isalpha() for char in unquoted) else _words(rest)


def _cut(text: str, patterns: Iterable[str]) -> str:
    for pattern in patterns:
        text = re.sub(pattern, " ", text)
    return text


def _words(text: str) -> str:
    """Return ``text`` without code and formulas; a run of ASCII with a sign of one goes whole."""
    text = _cut(text, (*_CODE, *_FORMULAS))
    text = re.sub("[!-~]+", lambda run: " " if _NOT_A_WORD.search(run[0]) else run[0], text)
    return re.sub(r"[ \t]+", " ", _cut(text, [_SYMBOL]))
