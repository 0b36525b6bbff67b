"""What a method's specification says of itself in words."""

from dataclasses import replace

import pytest

from stages.merge.methods import METHODS

SPEC = METHODS["linear"].spec


@pytest.mark.parametrize(
    ("low", "high", "words", "legal"),
    [
        (2, 2, "2", {2}),
        (1, None, "1 or more", {1, 2, 3, 4}),
        (2, 3, "2 to 3", {2, 3}),
    ],
)
def test_numbers_of_parents_are_those_that_it_says(
    low: int, high: int | None, words: str, legal: set[int]
) -> None:
    """What a message calls legal is what is merged."""
    spec = replace(SPEC, min_parents=low, max_parents=high)
    assert words == spec.legal_parents
    assert legal == {number for number in range(5) if spec.merges(number)}
