"""The division of items into splits."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.errors import EvaluationError
from stages.evaluate.tasks.splits import (
    divide,
    ordered,
    refuse_leaks,
    refuse_overlap,
    refuse_shown,
    take,
)

SIZES = {"search": 3, "validation": 2, "test": 4}
items = st.lists(st.text(min_size=1, max_size=8), min_size=9, max_size=40, unique=True)


def own(names: Sequence[str]) -> dict[str, str]:
    """Return items each of which is a question of its own."""
    return {name: name for name in names}


@given(items=items, seed=st.integers(0, 5), shuffle=st.randoms())
def test_division_does_not_depend_on_order(
    items: list[str], seed: int, shuffle: random.Random
) -> None:
    """The same items in any order, with repeats, are divided alike; the splits are disjoint."""
    mixed = [*items, *items[:3]]
    shuffle.shuffle(mixed)
    parts = divide("t", own(items), SIZES, seed)
    assert parts == divide("t", own(mixed), SIZES, seed)
    assert {split: len(set(part)) for split, part in parts.items()} == SIZES
    assert len({item for part in parts.values() for item in part}) == 9


def test_larger_split_holds_the_smaller_one() -> None:
    """The first split of a larger size begins with that of a smaller size."""
    names = [f"item {i}" for i in range(30)]
    small = divide("t", own(names), SIZES, 0)
    large = divide("t", own(names), SIZES | {"search": 9}, 0)
    assert small["search"] == large["search"][:3]


def test_seed_changes_the_order() -> None:
    """Another seed divides otherwise."""
    names = [f"item {i}" for i in range(30)]
    assert ordered(names, 0) != ordered(names, 1)
    assert sorted(names) == sorted(ordered(names, 1))


def test_too_few_items_are_counted() -> None:
    """The message says how many there are and how many were asked for."""
    with pytest.raises(EvaluationError, match=r"task t: has 2 distinct items, 9 were asked for"):
        divide("t", own(["a", "b", "a"]), SIZES, 0)
    with pytest.raises(EvaluationError, match=r"has 1 distinct items, 2 .*splits\.test"):
        take("t", "test", ["a", "a"], 2, 0)


def test_overlap_is_refused_by_name() -> None:
    """An item that serves two splits, or is also an example, is named."""
    with pytest.raises(EvaluationError, match="1 items serve both search and test: b"):
        refuse_overlap("t", {"search": ["a", "b"], "validation": ["c"], "test": ["b"]})
    with pytest.raises(EvaluationError, match="1 search items are also few-shot examples: b"):
        refuse_shown("t", "search", ["a", "b"], ["b", "d"])


def test_item_of_another_split_in_another_task_is_refused() -> None:
    """One task's search item is not another's test item; in the same split it may be both's."""
    alike = {"search": ["a", "b"], "validation": ["c"], "test": ["d"]}
    refuse_leaks({"s": alike, "t": {**alike, "test": ["e"]}})
    with pytest.raises(EvaluationError, match=r"tasks s and t: 1 items serve test .*search .*: d"):
        refuse_leaks({"s": alike, "t": {"search": ["d"], "validation": ["c"], "test": ["e"]}})


@given(
    numbers=st.lists(st.integers(0, 60), min_size=30, max_size=90, unique=True),
    others=st.lists(st.integers(0, 60), min_size=30, max_size=90, unique=True),
    seed=st.integers(0, 5),
)
def test_a_question_serves_one_split_of_all_tasks(
    numbers: list[int], others: list[int], seed: int
) -> None:
    """Items of one question are never in two splits, nor in another split of a later task."""
    taken: dict[str, str] = {}
    served: dict[str, set[str]] = {}
    for name, drawn in (("s", numbers), ("t", others)):
        questions = {f"{name}{number}": f"q{number // 3}" for number in drawn}
        try:
            parts = divide(name, questions, SIZES, seed, taken)
        except EvaluationError as error:
            assert "of them with a question of one split alone" in str(error)  # noqa: PT017
            continue
        for split, part in parts.items():
            assert SIZES[split] == len(part)
            for item in part:
                served.setdefault(questions[item], set()).add(split)
    assert all(len(splits) == 1 for splits in served.values())
