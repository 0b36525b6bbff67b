r"""Read numbers in generated text, as people and models write them.

The rule, for decimal mark "."; with ``decimal: ","`` on a task the two marks swap places:

- With both marks in a number, the last one is the decimal mark: 1,250.50 and 1.250,50 are 1250.5.
- The decimal mark alone, once, is the decimal mark: 1.250 is 1.25.
- The other mark alone, once, groups thousands where exactly three digits follow and one to three
  stand before, the first not 0: 1,250 is 1250. Else it is the decimal mark: 0,125 and 12,75.
- A mark that comes twice groups thousands, 1.250.000, or lakhs and crores, 12,34,567. Where the
  groups are of other sizes the marks only separate a list: of 1,2,3 the last number is 3.
- An apostrophe, underscore, or no-break or thin space between groups of three digits groups them;
  with ``decimal: ","`` an ordinary space does, too.
- LaTeX's 1{,}250, 1,\!250 and 1\,250 are 1,250 and 1 250 with a thin space.
- A sign counts unless the end of a value or a name stands before it: 5-3 ends in 3, GPT-4 in 4.
- Percent and currency signs, units and words such as million are not part of the number: 42 % is
  42, 25 cm^2 is 25, 5k is 5.
- 1.5e-3, 1.5*10^-3, 1.5 \times 10^{-3} and the same with raised digits are 0.0015;
  10^3 by itself is 1000; exponents may stand in brackets, 10^(3); other
  powers of digits are two numbers.
- Digits right after a Latin, Greek or Cyrillic letter are part of a name: H2O holds no number.

The spellings of digits, minus, exponents and indices are in ``number_spelling.py``; a table of
readings is in docs/tasks.md.
"""

import re
from decimal import Decimal

from stages.evaluate.measures.number_spelling import CURRENCY, LETTERS, plainly_spelled

# ruff: noqa: RUF001  the marks of other scripts are what this module is about
NUMERALS_VERSION = 7  # raised when texts would be read differently; part of the suite's key
_SPACES = "\u00a0\u202f\u2009"  # no-break, narrow no-break, thin
_GROUPING = f"'_\u2019{_SPACES}"
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
# Latin, Greek and Cyrillic letters: a digit right after one is part of a name.
_NAMES = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u04ff"
# What a value can end in: the dash after it is that of a range, a subtraction or a name.
_ENDS = f"{LETTERS}0-9)\\]}}%‰°′″”!²³¹⁰⁴-⁹"
# "10 ** 3" raises; of "10 **3**" the 3 is bold.
_RAISES = r"(?:\s*\^|\s+\*\*(?=\s)|\*\*)\s*[{(]?\s*"

_NUMBER = re.compile(
    rf"""
    (?P<sign>
        (?<![{_ENDS}])(?<![0-9][{CURRENCY}])(?<![0-9][\ {_SPACES}][€£¥₹])(?<![A-Za-z]\*\*)[-+]
    )?
    (?:[A-Z]{{0,3}}\\?[{CURRENCY}][\ {_SPACES}]?)?
    (?<![{_NAMES}_0-9])(?<![0-9][.,])
    (?P<digits>\d+(?:[.,'\u2019{_SPACES}]\d+|_\d{{3}}(?!\d))*|(?<!\.\.)[.,]\d+)
    (?:
        \.?[eE](?P<e>[-+]?\d{{1,4}})(?!\d)
      | \s*(?:[×*·xX✕⋅∙]|\\times|\\cdot)\s*\{{?10
        (?:{_RAISES}(?P<power>[-+]?\d{{1,4}})(?![.,]?\d)|[ ]?(?P<raised>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{{1,4}}))
      | (?<=10)(?<![\d.,{_GROUPING}]10)(?P<of_ten>
            {_RAISES}[-+]?\d{{1,4}}(?![.,]?\d)|[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{{1,4}}
        )
    )?
    """,
    re.VERBOSE,
)
_SPACED = re.compile(r"(?<![\w.,])[1-9]\d{0,2}(?: \d{3})+(?!\d)")
_INDIAN = re.compile(rf"[1-9]\d?([,'\u2019{_SPACES}])\d\d(?:\1\d\d)*\1\d{{3}}")


def numbers(text: str, decimal: str = ".") -> list[Decimal]:
    """Return the numbers of ``text`` in order; ``decimal`` is the mark preferred in doubt."""
    text = plainly_spelled(text)
    if decimal == ",":
        text = _SPACED.sub(lambda groups: groups[0].replace(" ", _SPACES[0]), text)
    return [_read(match, decimal) for match in _NUMBER.finditer(text)]


def last_number(text: str, decimal: str = ".") -> Decimal | None:
    """Return the last number of ``text``; None where it holds none."""
    values = numbers(text, decimal)
    return values[-1] if values else None


def _read(match: re.Match[str], decimal: str) -> Decimal:
    sign = "-" if match["sign"] == "-" else ""
    if match["of_ten"]:
        power = re.sub(r"[^-+\d]", "", match["of_ten"].translate(_RAISED))
        return Decimal(f"{sign}1E{power}")
    raised = (match["raised"] or "").translate(_RAISED)
    exponent = match["e"] or match["power"] or raised or "0"
    return Decimal(f"{sign}{_plain(match['digits'], decimal)}E{exponent}")


def _plain(digits: str, decimal: str) -> str:
    """Return ``digits`` without grouping and with a point for its decimal mark."""
    mark = _decimal_mark(digits, decimal)
    whole, _, fraction = digits.rpartition(mark) if mark else (digits, "", "")
    groups = re.split(rf"[.,{_GROUPING}]", whole)
    if len(groups) > 1 and not _are_thousands(groups) and not _INDIAN.fullmatch(whole):
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
