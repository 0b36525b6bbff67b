"""Precedence, filters and gradients, held to MergeKit's formula."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.merge.mergekit.gradients_and_filters import gradient, resolve
from stages.merge.mergekit.schema import Entry, Values

NUMBERS = st.floats(-10, 10)


def _naive(anchors: list[float], t: float) -> float:
    """MergeKit's formula, as the reference states it."""
    s = t * (len(anchors) - 1)
    i = int(s)
    j = min(len(anchors) - 1, i + 1)
    return (1 - (s - i)) * anchors[i] + (s - i) * anchors[j]


@given(anchors=st.lists(NUMBERS, min_size=1, max_size=6), t=st.floats(0, 1))
def test_gradient_is_the_line_through_its_anchors(anchors: list[float], t: float) -> None:
    """It begins at the first anchor, ends at the last, and is MergeKit's between."""
    assert _naive(anchors, t) == pytest.approx(gradient(anchors, t))
    assert anchors[0] == gradient(anchors, 0.0)
    assert anchors[-1] == gradient(anchors, 1.0)


def test_the_first_filter_that_matches_wins() -> None:
    """A filter is a part of the name; an entry without one matches all."""
    levels: list[Values] = [
        {"w": (Entry((1.0,), "mlp"), Entry((2.0,), "up_proj"), Entry((3.0,)))},
        {"w": (Entry((4.0,)),)},
    ]
    assert 1.0 == resolve("w", levels, "layers.0.mlp.up_proj.weight", 0.0)
    assert 3.0 == resolve("w", levels, "layers.0.self_attn.q_proj.weight", 0.0)


def test_a_level_whose_filters_all_miss_is_passed_over() -> None:
    """The next level that has a value gives it; where none has, there is none."""
    levels: list[Values] = [
        {"w": (Entry((1.0,), "mlp"),)},
        {"v": (Entry((9.0,)),)},
        {"w": (Entry((0.0, 10.0)),)},
        {"w": (Entry((7.0,)),)},
    ]
    assert 2.5 == resolve("w", levels, "norm.weight", 0.25)
    assert resolve("u", levels, "norm.weight", 0.25) is None
