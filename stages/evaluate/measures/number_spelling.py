r"""Bring the numerals of a text to one spelling, before ``number_reading.py`` reads them.

- Digits of every script are 0 to 9; every dash that stands as a minus is "-".
- A minus may have a space after it where an operator, a relation, a colon, a comma or an opening
  bracket stands before it: x = - 5 ends in -5, and 7 - 5 in 5. The same where it is the whole
  text, and where U+2212, which makes no bullets, begins a line. Two hyphens are a dash: 3--5.
- An exponent of a letter belongs to a name, as of a unit, and so does an index: 25 cm^2, m/s**2,
  25 \text{ cm}^{2}, 25 cm<sup>2</sup>, 5 m s-1 and x_{10}. An index of digits is their base.
- A fraction of one sign is a decimal one, by itself or after a whole number: ½ is 0.5, 1 ½ is 1.5.
- Underscores around a number are emphasis: _42_ and __42__.
- Entities of HTML are their characters, characters that nobody sees are dropped, and 0x1f is 31.
- 0.1\overline{6} has 16 digits of its period.
"""

import html
import re
import unicodedata

# ruff: noqa: RUF001  the marks of other scripts are what this module is about
LETTERS = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u0dff\u1000-\u1fff"  # of scripts with spaces
CURRENCY = "$¢£¤¥֏؋৳฿៛\u20a0-\u20c0﷼﹩＄￡￥￦"
_GAP = r"(?:[ \t\u00a0\u202f\u2009~]|\\[,;:! ])"
_NUMERAL = rf"(?=\\?[{CURRENCY}]?[.,]?\d)"

# Hyphens, dashes, minus, small and full-width hyphen. A raised minus is one before such a digit.
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"
_ALIKE = str.maketrans(
    {**dict.fromkeys(_DASHES, "-"), "٫": ".", "٬": ",", "．": ".", "，": ",", "＋": "+"}
    | dict.fromkeys("\u2005\u2006\u2007\u2008\u200a", "\u2009")  # other thin spaces
)
# Soft hyphens, joiners, marks of direction and byte order: nobody sees them.
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,10}\d?);")
_LITERAL = re.compile(
    r"(?<![\w.,])0(?:[xX][0-9a-fA-F]{1,32}|[bB][01]{1,128}|[oO][0-7]{1,43})(?!\w)"
)
_REPEATING = re.compile(r"(?<=\d)([.,]\d*)\\(?:overline|bar)\{(\d{1,16})\}")
_BINDS = (
    r"[=(\[{≤≥≈≠:,;+×·÷|→⇒＝：（]"
    r"|(?<=[^\s>-])[ ]?[<>]"
    r"|\\(?:leq?|geq?|approx|to|cdot|times|neq?|in|Rightarrow)\b"
)
_LETTER = r"(?<=[^\W\d_])"
_BRACES = r"\{(?:[^{}\n]|\{[^{}\n]*\})*\}"
_UNIT = (
    r"(?:[kcdmnpMGhµμ]?(?:mol|eV|Hz|Pa|bit|[mgsAKLlWJNVCFTBΩ])|cd|min|ha|yr|[hdt])(?![A-Za-zµμΩ])"
)
_UNITS = rf"(?:{_UNIT}(?:(?:\^|\*\*)?-?[1-9])?[ ·⋅.*/]{{1,2}}){{0,5}}"

_FRACTION = re.compile(r"(?:(\d)[ \u00a0\u202f\u2009]?)?([¼½¾⅐-⅞])")

_Rule = tuple[re.Pattern[str], str]
_BEFORE: tuple[_Rule, ...] = (
    (re.compile(r"\\\\\[-?[\d.]+\s?[a-z]{2}\]|\\[hv]space\*?\{[^{}\n]*\}"), " "),  # room
    (re.compile(r"(?<=[:=,])([ ]*)\}(?=\$?[-\u2212])"), r"\1} "),  # \text{Answer: }-5
    (re.compile(r"\{10\}(?=\s*\^)"), "10"),
    (re.compile(rf"(?<=\d)\{{({_GAP})\}}(?=\d)"), r"\1"),
    (re.compile(r"<sup>([^<>\n]*)</sup>", re.IGNORECASE), r"^{\1}"),
    (re.compile(r"\\textsuperscript(?=\{)"), "^"),
    (re.compile(r"<sub>([^<>\n]*)</sub>", re.IGNORECASE), r"_{\1}"),
    (re.compile(rf"(?<=[{LETTERS}\d)\]}}%])-{{2,3}}{_NUMERAL}"), "\u2013"),
    (re.compile(rf"^([ \t]*)\u2212{_GAP}+{_NUMERAL}", re.MULTILINE), r"\1-"),
    (re.compile(rf"\u207b{_GAP}*{_NUMERAL}"), "-"),
)
_AFTER: tuple[_Rule, ...] = (
    (re.compile(rf"((?:{_BINDS}){_GAP}*|(?<!\S)(?:\*\*|\$))-{_GAP}+{_NUMERAL}"), r"\1-"),
    (re.compile(rf"\A\s*-{_GAP}+([\\{CURRENCY}]*[\d.,]+[\s.%*$]*)\Z"), r"-\1"),
    (re.compile(r"\[\^[^\]\s]{1,20}\]"), ""),  # a footnote
    (re.compile(rf"(?<=[^\W_])_{_BRACES}(?=\d)|(?<=[)\]}}])_{_BRACES}(?=\d)"), " "),
    (re.compile(rf"(?<=[^\W_])_{_BRACES}|(?<=[)\]}}])_{_BRACES}"), ""),
    (re.compile(rf"{_LETTER}_[^\W_]{{1,3}}(?=\s?\^)"), ""),
    (
        re.compile(
            rf"{_LETTER}((?:[.)\]}}$]|{_GAP})*)\^{_GAP}*"
            rf"(?:(?:\\[A-Za-z]+)?{_BRACES}|\([^()\n]*\)|[-+]?\d+(?:\.\d+)?)"
        ),
        r"\1",
    ),
    (
        re.compile(
            rf"(\d[ \u00a0]?{_UNITS}{_UNIT}|(?<![A-Za-z*])[A-Za-z])"
            r"\*\*\(?[-+]?[1-9](?:\.\d+)?\)?(?![\d*])"
        ),
        r"\1",
    ),
    # not 5 m-3 m, from one to the other
    (re.compile(rf"(\d[ \u00a0]{_UNITS}({_UNIT}))-[1-4](?![.,]?\w| ?\2(?!\w))"), r"\1"),
    (
        re.compile(rf"(?<![\w)\]}}])(_{{1,3}})(?=[-+{CURRENCY}\\.]*\d[^_\n]*\1(?!\w))", re.ASCII),
        "",
    ),
    (re.compile(r"(?<=\d)\{([.,])\}(?=\d)"), r"\1"),
    (re.compile(r"(?<=\d),\\[,!;:](?=\d)"), ","),
    (re.compile(r"(?<=\d)\\[,!;:](?=\d)"), "\u2009"),
)


def plainly_spelled(text: str) -> str:
    """Return ``text`` with its numerals in the one spelling that ``number_reading.py`` knows."""
    text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    text = _FRACTION.sub(_as_decimal, _UNSEEN.sub("", text))
    text = _LITERAL.sub(lambda literal: str(int(literal[0], 0)), text)
    text = _REPEATING.sub(_repeated, text)
    for pattern, new in _BEFORE:
        text = pattern.sub(new, text)
    text = re.sub(r"\d", lambda digit: str(int(digit[0])), text.translate(_ALIKE))
    for pattern, new in _AFTER:
        previous = ""
        while previous != text:  # units stand in chains: kg m**2 s**-2
            previous, text = text, pattern.sub(new, text)
    return text


def _repeated(match: re.Match[str]) -> str:
    r"""Return the digits of 0.1\overline{6} as a double has them."""
    return match[1] + (match[2] * 16)[:16]


def _as_decimal(match: re.Match[str]) -> str:
    """Return ⅛ as 0.125 and zeros, so that no decimal mark is taken for one of thousands."""
    fraction = f"{unicodedata.numeric(match[2]):.16f}".removeprefix("0")
    return f"{match[1] or 0}{fraction}"
