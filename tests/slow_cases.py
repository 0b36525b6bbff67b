"""Which cases of a test wait for ``make test-slow``."""

from collections.abc import Collection, Iterable

import pytest
from _pytest.mark import ParameterSet


def with_slow(cases: Iterable[str], slow: Collection[str]) -> list[ParameterSet]:
    """Return the cases, those of ``slow`` marked as such.

    Raises:
        ValueError: a slow case is not among the cases.
    """
    listed = list(cases)
    if unknown := set(slow) - set(listed):
        raise ValueError(f"not among the cases: {sorted(unknown)}")
    marks = {True: [pytest.mark.slow], False: []}
    return [pytest.param(case, marks=marks[case in slow], id=case) for case in listed]
