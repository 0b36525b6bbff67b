r"""Bring the numerals of a text to one spelling, before ``number_reading.py`` reads them.

- Digits of every script are 0 to 9; every dash that stands as a minus is "-".
- A minus may have a space after it where an operator, a relation, a colon, a comma or an opening
  bracket stands before it: x = - 5 ends in -5, and 7 - 5 in 5. The same where it is the whole
  text, its currency or unit after it, and where U+2212, which makes no bullets, begins a line.
  Two hyphens are a dash: 3--5. The sign of what is set in bold or boxed is that of its number.
- An exponent of a letter belongs to a name, as of a unit, and so does an index: 25 cm^2, m/s**2,
  25 \text{ cm}^{2}, 25 cm<sup>2</sup>, 5 m s-1 and x_{10}. An index of digits is their base.
- A fraction of whole numbers is a decimal one of 16 places, by itself or after a whole number:
  3/4, \frac{3}{4}, ¾ and 0.75 are one number, and so are 1 3/4 and 1.75; 0.1\overline{6} is 1/6.
  Of 3/4/2021 and 03/04 nothing is divided: they are dates.
- Underscores around a number are emphasis: _42_ and __42__.
- Entities of HTML are their characters, characters that nobody sees are dropped, and 0x1f is 31.
- A number in a circle, in brackets or with a full stop that is one character is that number: ③.
- The number of a formula or of a source is passed over, 42[1] and \tag{3}, and so is the 100 of
  l/100 km.
"""

import html
import re
import unicodedata
from fractions import Fraction

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
# So is what makes a digit's picture of a key.
_UNSEEN = re.compile(
    "[\u00ad\u20e3\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe0e\ufe0f\ufeff]"
)
_ENCLOSED = re.compile(
    "[\u2460-\u249b\u24ea-\u24ff\u2776-\u2793\u3248-\u325f\u32b1-\u32bf\U0001f100-\U0001f10c]"
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,10}\d{0,2});")
_LITERAL = re.compile(
    r"(?<![\w.,])0(?:[xX][0-9a-fA-F]{1,32}|[bB][01]{1,128}|[oO][0-7]{1,43})(?!\w)"
)
_REPEATING = re.compile(r"(\d{1,9})[.,](\d{0,9})\\(?:overline|bar)\{(\d{1,16})\}")
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

_CODES = r"[A-Z]{3}|zł|kr|Kč|Ft|lei|лв|руб|грн"
_MEASURE = (
    rf"(?:{_CODES}|[{CURRENCY}%°]|°[CF]|{_UNITS}{_UNIT}(?:(?:\^|\*\*)?\{{?-?[1-9]\}}?|[²³])?)"
)
_OPENS = (  # what sets a number in bold or in a box, or brackets that hold it alone
    r"\\(?:f?boxed|fbox|text\w*|math\w+|underline|bm|boldsymbol|num)\{|\{|\*\*|__?"
    r"|(?:\\left)?\((?=[\d.,]+(?:\\right)?\))"
)

_ONE_SIGN = re.compile(r"(\d?)([¼½¾⅐-⅞↉])")
_SMALL_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "0123456789" * 2)
_SMALL = re.compile(
    r"(\d?)(?:<sup>(\d{1,9})</sup>|([⁰¹²³⁴-⁹]{1,9}))[/⁄∕](?:<sub>(\d{1,9})</sub>|([₀-₉]{1,9}))"
)
_LATEX = re.compile(
    r"(\d?)\\[dtc]?frac\s*(?:(\d)\s*(\d)|\{\s*([-+]?)(\d{1,9})\s*\}\s*\{\s*(\d{1,9})\s*\})"
)
_APART = r"(?<![^\W_])(?<!\w_)(?<![.,/])"
_QUOTIENT = re.compile(
    rf"{_APART}(?:(?<!\d[ \u00a0])([1-9]\d{{0,2}}(?:[.,'\u2019]\d{{3}})+|[1-9]\d{{0,8}})"
    rf"[ \u00a0\u202f\u2009])?{_APART}(?!0\d)(\d{{1,9}})\s?[/⁄∕]\s?([1-9]\d{{0,8}})"
    r"(?![\d⁄∕]|[.,]\d|\s?/)"
)

_Rule = tuple[re.Pattern[str], str]
_BEFORE: tuple[_Rule, ...] = (
    (  # room, and what numbers a formula or a source
        re.compile(
            r"\\\\\[-?[\d.]+\s?[a-z]{2}\]"
            r"|\\(?:[hv]space\*?|tag\*?|label|(?:eq)?ref|cite)\{[^{}\n]*\}"
            r"|(?<=\d)(?:<sup>)?(?:\[\d{1,3}\])+(?:</sup>)?(?!\()",
            re.IGNORECASE,
        ),
        " ",
    ),
    (re.compile(r"(?<=\d)[ʼ‘´′`˙＇](?=\d{3}(?!\d))"), "\u2019"),
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
    (
        re.compile(rf"(?<![{LETTERS}0-9)\]}}%°*])-((?:{_OPENS})+)(?=[\\{CURRENCY}]*[.,]?\d)"),
        r"\1-",
    ),
    (re.compile(rf"((?:{_BINDS}){_GAP}*|(?<!\S)(?:\*\*|\$))-{_GAP}+{_NUMERAL}"), r"\1-"),
    (
        re.compile(
            rf"\A\s*-{_GAP}+((?:[A-Z]{{0,3}}\\?[{CURRENCY}]{_GAP}?)?[\d.,]+"
            rf"(?:{_GAP}?{_MEASURE})?[\s.%*$]*)\Z"
        ),
        r"-\1",
    ),
    (re.compile(rf"(\d[ \u00a0]?[A-Za-zµμ{CURRENCY}]{{1,5}}/)\d+[ \u00a0]?(?=[A-Za-zµμ])"), r"\1"),
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
    text = _ENCLOSED.sub(_as_digits, _UNSEEN.sub("", text).replace("🔟", "10"))
    text = _LITERAL.sub(lambda literal: str(int(literal[0], 0)), text)
    text = _REPEATING.sub(_repeated, _ONE_SIGN.sub(_as_quotient, text))
    text = _LATEX.sub(_as_quotient, _SMALL.sub(_as_quotient, text))
    for pattern, new in _BEFORE:
        text = pattern.sub(new, text)
    text = re.sub(r"\d", lambda digit: str(int(digit[0])), text.translate(_ALIKE))
    text = _QUOTIENT.sub(_divided, text)
    for pattern, new in _AFTER:
        previous = ""
        while previous != text:  # units stand in chains: kg m**2 s**-2
            previous, text = text, pattern.sub(new, text)
    return text


def _as_digits(match: re.Match[str]) -> str:
    """Return ③ as 3, apart from what stands next to it."""
    before = match.string[: match.start()][-1:]
    return ("" if before in {"-", "−", "+"} else " ") + f"{unicodedata.numeric(match[0]):.0f} "


def _as_quotient(match: re.Match[str]) -> str:
    """Return a fraction of another spelling as 3/4, apart from a whole number before it."""
    before, *parts = (part for part in match.groups() if part is not None)
    if match.re is _ONE_SIGN:
        parts = unicodedata.normalize("NFKC", parts[0]).split("\u2044")
    sign = parts.pop(0) if len(parts) == 3 else ""
    numerator, denominator = (part.translate(_SMALL_DIGITS) for part in parts)
    return f"{before}{' ' * bool(before)}{sign}{numerator}/{denominator}"


def _divided(match: re.Match[str]) -> str:
    """Return 3/4 as 0.75 and zeros, so that no decimal mark is taken for one of thousands."""
    whole, fraction = match[1] or "", Fraction(int(match[2]), int(match[3]))
    if not whole or fraction >= 1:  # 10 20/4: two numbers
        return f"{whole}{' ' * bool(whole)}{_decimal(fraction)}"
    return re.sub(r"\D", "", whole) + _decimal(fraction).removeprefix("0")


def _repeated(match: re.Match[str]) -> str:
    r"""Return 0.1\overline{6} as the fraction that it is."""
    whole, start, period = match.groups()
    tail = Fraction(int(period), 10 ** len(period) - 1)
    return _decimal(Fraction(int(whole + start) + tail) / 10 ** len(start))


def _decimal(value: Fraction) -> str:
    """Return a fraction to 16 places."""
    units, rest = divmod(round(value * 10**16), 10**16)
    return f"{units}.{rest:016d}"
