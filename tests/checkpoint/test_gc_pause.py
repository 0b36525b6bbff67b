"""Collections of cycles are held off, and as before afterwards."""

import gc
from collections.abc import Iterator

import pytest

from stages.checkpoint.gc_pause import uncollected


@pytest.fixture(params=[True, False])
def is_enabled(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Give whether collections are on, which they are as before when the test ends."""
    before, asked = gc.isenabled(), bool(request.param)
    (gc.enable if asked else gc.disable)()
    yield asked
    (gc.enable if before else gc.disable)()


def test_nothing_is_collected_inside(is_enabled: bool) -> None:
    """Inside there are no collections, however many objects are made; then all is as before."""
    before = [stats["collections"] for stats in gc.get_stats()]
    with uncollected():
        assert not gc.isenabled()
        kept = [[number] for number in range(20_000)]
        assert before == [stats["collections"] for stats in gc.get_stats()]
    assert 20_000 == len(kept)
    assert is_enabled == gc.isenabled()


def test_an_error_and_a_second_hold_leave_it_as_before(is_enabled: bool) -> None:
    """Held off inside a hold it stays off until the outer one ends, by an error too."""

    def fail() -> None:
        with uncollected():
            with uncollected():
                pass
            assert not gc.isenabled()
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  # it has no message
        fail()
    assert is_enabled == gc.isenabled()
