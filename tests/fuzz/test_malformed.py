"""Malformed inputs: each is refused in words within ten seconds, and no nonsense is accepted."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import pytest

from stages.errors import GermlineError
from tests.fuzz import (
    companion_targets,
    import_targets,
    lineage_targets,
    model_targets,
    record_targets,
    settings_targets,
)
from tests.fuzz.cases import Case

TARGETS = (
    *settings_targets.TARGETS,
    *model_targets.TARGETS,
    *companion_targets.TARGETS,
    *record_targets.TARGETS,
    *lineage_targets.TARGETS,
    *import_targets.TARGETS,
)
LIMIT_S = 10
NUM_SEEDS = int(os.environ.get("GERMLINE_FUZZ_SEEDS", "100"))  # of each target
FIRST_SEED = int(os.environ.get("GERMLINE_FUZZ_FIRST", "0"))
MOST_LINES, LONGEST_LINE = 60, 1500


def check(make: Callable[[Random], Case], seed: int) -> None:
    """Draw a malformed input and have it read."""
    case = make(Random(f"{make.__name__} {seed}"))
    shown = f"{make.__name__} {seed}: {case.shown}"
    message = None
    try:
        with _limit():
            case.read()
    except GermlineError as error:
        message = str(error)
    except Exception as error:
        raise AssertionError(f"{error!r:.300} for {shown}") from error
    assert message is not None or not case.is_nonsense, f"accepted {shown}"
    lines = (message or "accepted").splitlines()
    assert 0 < len(lines) <= MOST_LINES, f"{len(lines)} lines for {shown}"
    assert all(len(line) <= LONGEST_LINE for line in lines), f"{message} for {shown}"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("make", TARGETS)
def test_malformed_input_is_refused(make: Callable[[Random], Case]) -> None:
    """One of each kind, in every run of the tests."""
    check(make, 0)


@pytest.mark.fuzz
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + NUM_SEEDS))
@pytest.mark.parametrize("make", TARGETS)
def test_many_malformed_inputs_are_refused(make: Callable[[Random], Case], seed: int) -> None:
    """`make fuzz`: two thousand inputs, others with another GERMLINE_FUZZ_FIRST."""
    check(make, seed)


@contextmanager
def _limit() -> Iterator[None]:
    """Raise TimeoutError in what takes longer than the limit."""

    def expire(*_: object) -> None:
        raise TimeoutError(f"longer than {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
