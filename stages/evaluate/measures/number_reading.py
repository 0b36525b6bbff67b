r"""Read numbers in generated text, as people and models write them.

The rule, for decimal mark "."; with ``decimal: ","`` on a task the two marks swap places:

- With both marks in a number, the last one is the decimal mark: 1,250.50 and 1.250,50 are 1250.5.
- The decimal mark alone, once, is the decimal mark: 1.250 is 1.25.
- The other mark alone, once, groups thousands where exactly three digits follow and one to three
  stand before, the first not 0: 1,250 is 1250. Else it is the decimal mark: 0,125 and 12,75.
- A mark that comes twice groups thousands: 1.250.000. Where the groups are not of three digits the
  marks only separate a list: of 1,2,3 the last number is 3.
- An apostrophe, underscore, or no-break or thin space between groups of three digits groups them.
- LaTeX's 1{,}250, 1,\!250 and 1\,250 are 1,250 and 1 250 with a thin space.
- A sign counts unless a letter, a digit or a closing bracket stands before it: 5-3 ends in 3.
- Percent and currency signs and units are no part of the number: 42 % is 42.
- 1.5e-3, 1.5*10^-3, 1.5 \times 10^{-3} and the same with raised digits are 0.0015;
  10^3 by itself is 1000; other powers are two numbers.
- Digits right after a Latin letter are part of a name: H2O holds no number.
"""

import re
from decimal import Decimal

# ruff: noqa: RUF001  the marks of other scripts are what this module is about
NUMERALS_VERSION = 3  # raised when a text would be read otherwise; part of the suite's key
_GROUPING = "'_\u2019\u00a0\u202f\u2009"  # the spaces: no-break, narrow no-break, thin
_MINUS = "-\u2212\u2013\ufe63\uff0d"  # hyphen, minus, en dash, small and full-width hyphen
_ALIKE = str.maketrans(
    {**dict.fromkeys(_MINUS, "-"), "٫": ".", "٬": ",", "．": ".", "，": ",", "＋": "+"}
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")

_LATEX = re.compile(r"(?<=\d)(?:\{([.,])\}|(,?)\\[,!;:])(?=\d)")
_NUMBER = re.compile(
    rf"""
    (?P<sign>(?<![A-Za-z0-9)\]}}])[-+])?
    [$€£¥₹]?
    (?<![A-Za-z_0-9])(?<![0-9][.,])
    (?P<digits>\d+(?:[.,{_GROUPING}]\d+)*|[.,]\d+)
    (?:
        [eE](?P<e>[-+]?\d{{1,4}})(?!\d)
      | \s*(?:[×*·x]|\\times|\\cdot)\s*10
        (?:(?:\^|\*\*)\s*\{{?(?P<power>[-+]?\d{{1,4}})(?!\d)|(?P<raised>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{{1,4}}))
      | (?<=10)(?<![\d.,{_GROUPING}]10)(?P<of_ten>
            (?:\^|\*\*)\s*\{{?[-+]?\d{{1,4}}(?!\d)|[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{{1,4}}
        )
    )?
    """,
    re.VERBOSE,
)


def numbers(text: str, decimal: str = ".") -> list[Decimal]:
    """Return the numbers of ``text`` in order; ``decimal`` is the mark preferred in doubt."""
    plain = _LATEX.sub(lambda m: m[1] or m[2] or "\u2009", text.translate(_ALIKE))
    return [_read(match, decimal) for match in _NUMBER.finditer(plain)]


def last_number(text: str, decimal: str = ".") -> Decimal | None:
    """Return the last number of ``text``; None where it holds none."""
    found = numbers(text, decimal)
    return found[-1] if found else None


def _read(match: re.Match[str], decimal: str) -> Decimal:
    sign = "-" if match["sign"] == "-" else ""
    if match["of_ten"]:
        return Decimal(f"{sign}1E{match['of_ten'].translate(_RAISED).lstrip('^*{ ')}")
    raised = (match["raised"] or "").translate(_RAISED)
    exponent = match["e"] or match["power"] or raised or "0"
    return Decimal(f"{sign}{_plain(match['digits'], decimal)}E{exponent}")


def _plain(digits: str, decimal: str) -> str:
    """Return ``digits`` without grouping and with a point for its decimal mark."""
    mark = _decimal_mark(digits, decimal)
    whole, _, fraction = digits.rpartition(mark) if mark else (digits, "", "")
    groups = re.split(rf"[.,{_GROUPING}]", whole)
    if len(groups) > 1 and not _are_thousands(groups):
        return (groups[-1] or "0") + (f".{fraction}" if mark else "")
    return ("".join(groups) or "0") + (f".{fraction}" if mark else "")


def _decimal_mark(digits: str, decimal: str) -> str:
    """Return which mark of ``digits`` is the decimal one; empty where none is."""
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        last = "." if digits.rfind(".") > digits.rfind(",") else ","
        return last if digits.count(last) == 1 else ""
    if points + commas != 1:
        return ""
    mark = "." if points else ","
    groups = re.split(rf"[.,{_GROUPING}]", digits)
    return "" if mark != decimal and _are_thousands(groups) else mark


def _are_thousands(groups: list[str]) -> bool:
    first, *rest = groups
    return 1 <= len(first) <= 3 and first[0] != "0" and all(len(group) == 3 for group in rest)
