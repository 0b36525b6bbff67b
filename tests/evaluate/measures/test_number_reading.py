"""Numbers in generated text: the table of readings, and laws of reading what was written."""

# ruff: noqa: RUF001  the marks of other scripts are what is tested

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.evaluate.measures.number_reading import last_number, numbers
from tools.numeral_table import DOCS, Reading, readings, updated


@pytest.mark.parametrize("reading", readings(), ids=lambda r: f"{r.group}: {r.text!r}")
def test_last_number_is_read_as_written(reading: Reading) -> None:
    """The last number of the text is the one that its writer meant."""
    number = last_number(reading.text, reading.decimal)

    assert (None if reading.number is None else Decimal(reading.number)) == number


def test_docs_show_the_readings_that_are_tested() -> None:
    """docs/tasks.md has the table as `make docs` writes it."""
    text = DOCS.read_text(encoding="utf-8")

    assert updated(text) == text
    assert len(readings()) >= 200


@pytest.mark.parametrize("unit", ["cm", "m", "km", "in", "ft", "м", "µm", "ligne"])
@pytest.mark.parametrize(
    "power", ["^2", "^{2}", "²", "^-1", "^{-3}", "^−2", "^+2", "^(2)", "$^2$", "<sup>3</sup>"]
)
def test_exponent_of_a_unit_is_not_a_number(unit: str, power: str) -> None:
    """Whatever the unit, in words or in LaTeX, its exponent is part of it."""
    for text in (f"25 {unit}{power}", f"25\\,\\text{{ {unit}}}{power}.", f"= 25/{unit}{power}"):
        assert Decimal(25) == last_number(text), text


@pytest.mark.parametrize("dash", "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d")
def test_dash_is_a_sign_by_what_stands_before_it(dash: str) -> None:
    """After a relation or a space it is a minus, between two values or in a name a dash."""
    for text in (f"x = {dash}5", f"x={dash}5", f"x = {dash} 5", f"({dash}5)", f"it is {dash}5."):
        assert Decimal(-5) == last_number(text), text
    for text in (f"3{dash}5", f"7 {dash} 5", f"GPT{dash}5", f"1995{dash}5", f"(a){dash}5"):
        assert Decimal(5) == last_number(text), text


@given(value=st.integers(0, 10**12))
def test_indian_groups_are_read(value: int) -> None:
    """Lakh and crore are grouped by two above the last three digits."""
    digits = str(value)
    head, tail = digits[:-3], digits[-3:]
    groups = [head[max(0, i - 2) : i] for i in range(len(head), 0, -2)][::-1]

    assert Decimal(value) == last_number(f"₹{','.join([*groups, tail])}")


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
