"""docs/params.md and the classes that check params.yaml say the same of ranges."""

import re

import pytest
from pydantic import ValidationError

from stages.params.select_params import SelectParams
from stages.params.space.space_params import SpaceParams
from stages.recipe.recipe import MAX_GAIN
from tools.range_table import DOCS, ranges, updated

TEXT = DOCS.read_text(encoding="utf-8")
_WHOLE = re.compile(r"a whole number from ([\d,]+) to ([\d,]+)")


def described() -> dict[str, str]:
    """Return what the tables of the sections say of each key."""
    section, meanings = "", {}
    for line in TEXT.partition("## Ranges")[0].splitlines():
        section = line.removeprefix("## ") + "." if line.startswith("## ") else section
        if row := re.match(r"\| `([\w.]+)` \| [^|]+ \| (.+) \|$", line):
            meanings[section + row[1]] = row[2]
    return meanings


def test_table_of_ranges_is_that_of_the_classes() -> None:
    """`make docs` has nothing to write."""
    assert TEXT == updated(TEXT)
    assert len(ranges()) > 60


def test_ranges_in_the_descriptions_are_those_of_the_classes() -> None:
    """Where a description says N to M, or at least N, of whole numbers, the class has it."""
    meanings, compared = described(), 0
    for key, legal in ranges():
        bounds = _WHOLE.fullmatch(legal)
        said = re.search(r"\b(\d+) to (\d+)\b|at least (\d+)\b", meanings.get(key, ""))
        if bounds and said:
            low, high = (number.replace(",", "") for number in bounds.groups())
            assert (said[1], said[2]) == (low, high) if said[1] else said[3] == low, key
            compared += 1
    assert compared >= 3
    for key in ("attention_gain", "scale"):
        assert f"1/{MAX_GAIN} to {MAX_GAIN};" in meanings[f"select.space.layers.{key}"]
    assert "above 0 and at most 1" in meanings["select.space.density"]


def test_a_table_of_other_bounds_is_out_of_date() -> None:
    """The table is written from the classes, not from itself."""
    legal = dict(ranges())["select.population"]
    assert TEXT != (changed := TEXT.replace(legal, "a whole number from 2 to 10,001"))
    assert TEXT == updated(changed)


@pytest.mark.parametrize("population", [1, 10_001])
def test_bounds_in_the_table_are_kept(population: int) -> None:
    """What lies outside of them is refused."""
    assert "a whole number from 2 to 10,000" == dict(ranges())["select.population"]
    with pytest.raises(ValidationError):
        SelectParams(population=population)


@pytest.mark.parametrize("density", [(0.0, 0.5), (0.5, 1.5)])
def test_density_is_a_fraction(density: tuple[float, float]) -> None:
    """Bounds above 0 and at most 1, as the description says."""
    with pytest.raises(ValidationError):
        SpaceParams(density=density)
