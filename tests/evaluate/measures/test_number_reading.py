"""Numbers in generated text: a table of cases, and laws of reading what was written."""

# ruff: noqa: RUF001  the marks of other scripts are what is tested

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.evaluate.measures.number_reading import last_number, numbers

CASES = [
    ("1,250.50", "1250.5"),
    ("1.250,50", "1250.5"),
    ("-3", "-3"),
    ("−3", "-3"),
    ("The total is –3.", "-3"),
    ("5-3", "3"),
    ("10 - 3", "3"),
    ("(5)-3", "3"),
    ("7 -3", "-3"),
    ("x=-3", "-3"),
    ("= 42.", "42"),
    ("#### 42", "42"),
    ("**42**", "42"),
    ("\\boxed{42}", "42"),
    ("answer.42", "42"),
    ("3 + 4 = 7 apples", "7"),
    ("first 12, then 5", "5"),
    ("42 %", "42"),
    ("12.5%", "12.5"),
    ("$1,250.50", "1250.5"),
    ("-$3.50", "-3.5"),
    ("€1.250,00", "1250"),
    ("1,250", "1250"),
    ("100,000", "100000"),
    ("1,250,000", "1250000"),
    ("1.250", "1.25"),
    ("1.250.000", "1250000"),
    ("0,125", "0.125"),
    ("12,75", "12.75"),
    ("1234,567", "1234.567"),
    ("1,2,3", "3"),
    ("1.2.3", "3"),
    ("1'250.5", "1250.5"),
    ("1\u202f250,50", "1250.5"),
    ("1\u00a0250", "1250"),
    ("\\boxed{1{,}250}", "1250"),
    ("$1{,}250{.}5$", "1250.5"),
    ("10,\\!080", "10080"),
    ("2\\,100\\,000", "2100000"),
    ("f(3\\,5)", "5"),
    (".5", "0.5"),
    ("-.5", "-0.5"),
    ("1.5e-3", "0.0015"),
    ("10^3", "1000"),
    ("about 10^{-3}.", "0.001"),
    ("10⁶ people", "1000000"),
    ("-10**2", "-100"),
    ("210^2", "2"),
    ("1_000", "1000"),
    ("1_000_000.5", "1000000.5"),
    ("6E23", "6e23"),
    ("1.5 × 10^-3", "0.0015"),
    ("1.5*10**-3", "0.0015"),
    ("1.5 \\times 10^{-3}", "0.0015"),
    ("1.5·10⁻³", "0.0015"),
    ("3 × 10 = 30", "30"),
    ("答えは-3です", "-3"),
    ("４２", "42"),
    ("١٬٢٥٠٫٥", "1250.5"),
    ("00042", "42"),
    ("about 25kg", "25"),
    ("H2O", None),
    ("no number", None),
    ("", None),
    ("²", None),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_last_number_is_read_as_written(text: str, expected: str | None) -> None:
    """The last number of the text is the one that its writer meant."""
    found = last_number(text)

    assert (None if expected is None else Decimal(expected)) == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.250", "1250"),
        ("1,250", "1.25"),
        ("1.250,50", "1250.5"),
        ("1,250.50", "1250.5"),
        ("3.5", "3.5"),
        ("12,75", "12.75"),
        ("1.250.000", "1250000"),
    ],
)
def test_decimal_comma_swaps_the_marks_where_in_doubt(text: str, expected: str) -> None:
    """With a decimal comma, a point groups thousands where three digits follow it."""
    assert Decimal(expected) == last_number(text, decimal=",")


@given(value=st.decimals(-(10**9), 10**9, places=2))
def test_grouped_numbers_are_read_in_both_manners(value: Decimal) -> None:
    """A number with two decimals is read alike in English and in continental spelling."""
    english = f"so it is {value:,.2f}."
    continental = english.translate(str.maketrans(",.", ".,"))[:-1] + "."

    assert [value] == numbers(english) == numbers(continental)


@given(value=st.integers(-(10**20), 10**20), power=st.integers(-30, 30))
def test_scientific_notation_is_exact(value: int, power: int) -> None:
    """No digit is lost, however large or small the number."""
    assert Decimal(f"{value}e{power}") == last_number(f"{value}e{power}")


@given(text=st.text())
def test_any_text_is_read(text: str) -> None:
    """No text is an error, and every number found is finite."""
    assert all(number.is_finite() for number in numbers(text))
