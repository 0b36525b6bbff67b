"""Rules that end a search early: when they fire, that a replay agrees, and which are refused."""

from collections.abc import Sequence
from typing import Any

import pytest

from stages.errors import ParamsError
from stages.lineage.evaluation import Evaluation, ItemScore, TaskScore
from stages.lineage.outcome import Outcome
from stages.lineage.rows import Row, candidate_name
from stages.params.select_params import SelectParams
from stages.recipe.candidate import Candidate
from stages.recipe.recipe import Model, Recipe, Rule
from stages.select.racing.race import Race, most_answers
from stages.select.stopping import check_item_budget, check_stop, check_target, ending_of

NUM_ITEMS = 4
Scores = tuple[float, float] | None


def _row(generation: int, number: int, scores: Scores) -> Row:
    """Return the row of a candidate with these scores in two tasks; None: it failed."""
    name = candidate_name(generation, number)
    recipe = Recipe.of_models("linear", (Model("p0", "aa"),), (Rule({"weight": (0.5,)}),))
    outcome = Outcome(None, None, "it failed")
    if scores is not None:
        tasks = tuple(
            TaskScore(task, "acc", score, 0.1, NUM_ITEMS // 2, True)
            for task, score in zip("ab", scores, strict=True)
        )
        items = tuple(
            ItemScore(task.task, f"i{i}", task.score) for task in tasks for i in range(2)
        )
        outcome = Outcome("ff", Evaluation("search", tasks, items))
    candidate = Candidate(name, (0.5,), recipe, generation)
    return Row.of(candidate, {}, outcome, weights={"a": 1.0, "b": 1.0})


def _last(course: Sequence[Sequence[Scores]], **select: Any) -> tuple[int, str] | None:
    """Return after which generation a search ends, and by which rule; None: it runs to its end."""
    params = SelectParams.model_validate(
        {"population": len(course[0]), "generations": len(course), **select}
    )
    rows: list[Row] = []
    for generation, scores in enumerate(course):
        rows += [_row(generation, i, pair) for i, pair in enumerate(scores)]
        ending = ending_of(rows, params, NUM_ITEMS * params.population)
        if ending is not None:
            return ending.generation, ending.rule
    return None


COURSE: list[list[Scores]] = [
    [(0.1, 0.1), None],
    [(0.4, 0.4), (0.2, 0.2)],
    [(0.4, 0.4), None],
    [(0.0, 0.6), (0.3, 0.3)],
    [(0.5, 0.4), (0.1, 0.1)],
    [(0.5, 0.4), (0.1, 0.1)],
    [(0.1, 0.1), (0.1, 0.1)],
]


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ({}, None),
        ({"target": 0.4}, (1, "target")),
        ({"target": 0.45}, (4, "target")),
        ({"target": 0.46}, None),
        ({"patience": 1}, (2, "patience")),
        ({"patience": 2}, (3, "patience")),
        ({"patience": 3}, None),
        ({"candidates": 2}, (0, "candidates")),
        ({"candidates": 7}, (2, "candidates")),
        ({"candidates": 8}, (3, "candidates")),
        ({"items": 11}, (0, "items")),
        ({"items": 12}, (1, "items")),
        ({"items": 21}, (2, "items")),
        ({"items": 20}, (2, "items")),
        ({"items": 19}, (1, "items")),
        ({"items": 21, "patience": 1, "candidates": 4}, (1, "candidates")),
    ],
)
def test_rules_fire_where_they_say(stop: dict[str, Any], expected: tuple[int, str] | None) -> None:
    """A target is reached, patience ends, and a budget is met and never exceeded.

    A failed candidate counts as a candidate and has answered no items.
    """
    assert expected == _last(COURSE, stop=stop)


def test_a_gain_of_several_objectives_is_a_new_point_of_the_front() -> None:
    """(0, 0.6) is worse than (0.4, 0.4) as one number and a gain in its second objective."""
    stop = {"stop": {"patience": 2}}
    assert (5 + 1, "patience") == _last([*COURSE, *COURSE[-1:]], objectives="separate", **stop)
    assert (3, "patience") == _last([*COURSE, *COURSE[-1:]], **stop)


def test_no_rule_ends_the_last_generation() -> None:
    """A search that is over by its generations was not stopped."""
    assert _last(COURSE[:2], stop={"target": 0.4}) is None


def test_an_ending_says_what_was_reached() -> None:
    """The sentence names the generation, the figures and the key of params.yaml."""
    params = SelectParams.model_validate({"generations": 3, "stop": {"target": 0.3}})
    ending = ending_of([_row(0, 0, (0.3, 0.4))], params, 0)
    assert str(ending) == (
        "stopped after generation 0: g00-c00 has fitness 0.3500, the target is 0.3 "
        "(select.stop.target)"
    )


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ({"stop": {"candidates": 11}}, "the first generation takes 12 .* Give 12 or more"),
        ({"stop": {"candidates": 180}}, "could never end the search. Give fewer than 180"),
        ({"stop": {"patience": 14}}, "has 15 generations: it could never end early"),
        (
            {"stop": {"patience": 1}, "generations": 1},
            "has 1 generation: it could never end early",
        ),
        ({"stop": {"patience": 1}, "generations": 2}, "end early. Raise select.generations, or"),
        ({"stop": {"patience": 2}, "racing": {"rungs": [2]}}, "answers items of its own"),
    ],
)
def test_rules_that_cannot_work_are_refused(select: dict[str, Any], said: str) -> None:
    """A rule that fires before the search begins, or never, is said before the run."""
    with pytest.raises(ParamsError, match=f"params.yaml: select.stop: .*{said}"):
        check_stop(SelectParams.model_validate(select))


def test_rules_that_can_work_are_accepted() -> None:
    """The least and the largest values that can end a search are legal."""
    for stop in ({}, {"candidates": 12}, {"candidates": 179}, {"patience": 13}):
        check_stop(SelectParams.model_validate({"stop": stop}))
    for items in (100, 1499):
        check_item_budget(SelectParams.model_validate({"stop": {"items": items}}), 100, 100)


def test_a_scan_counts_in_the_budgets() -> None:
    """With a scan of 20 and generations of 12, no search ends before 32 candidates."""
    for candidates in (32, 180, 199):
        check_stop(SelectParams.model_validate({"stop": {"candidates": candidates}}), 20)
    for candidates, said in ((31, "Give 32 or more"), (200, "Give fewer than 200")):
        with pytest.raises(ParamsError, match=f"the scan and .*{said}"):
            check_stop(SelectParams.model_validate({"stop": {"candidates": candidates}}), 20)
    for items, said in ((149, "take 150 items"), (1550, "at most 1550 items")):
        with pytest.raises(ParamsError, match=f"the scan and .*{said}"):
            check_item_budget(
                SelectParams.model_validate({"stop": {"items": items}}), 100, 100, 50
            )


@pytest.mark.parametrize(("items", "said"), [(99, "takes 100 items"), (800, "at most 800 items")])
def test_budgets_of_items_are_checked_against_the_split(items: int, said: str) -> None:
    """Generation 0 may ask for more than the others, as with an estimator."""
    params = SelectParams.model_validate({"stop": {"items": items}})
    with pytest.raises(ParamsError, match=said):
        check_item_budget(params, 100, 50)


@pytest.mark.parametrize(("target", "said"), [(1.1, "no fitness reaches"), (0.0, "every fitness")])
def test_targets_outside_the_scores_are_refused(target: float, said: str) -> None:
    """Where scores are fractions a target lies above 0, up to 1."""
    with pytest.raises(ParamsError, match=said):
        check_target(SelectParams.model_validate({"stop": {"target": target}}))
    check_target(SelectParams.model_validate({"stop": {"target": 1.0}}))


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_the_most_answers_are_those_of_a_race_without_failures(count: int) -> None:
    """A race in which nobody fails or is hopeless asks for exactly as many."""
    racing = SelectParams.model_validate({"racing": {"rungs": [2, 3, 7], "confidence": None}})
    items = tuple(("a", f"i{i}") for i in range(10))
    names = [candidate_name(0, i) for i in range(count)]
    race = Race(names, items, racing.racing, {"a": 1.0}, seed=0, generation=0)
    answers = 0
    while (heat := race.next()) is not None:
        answers += len(heat.names) * len(heat.items)
        scores = tuple(ItemScore("a", item, 1.0) for _, item in heat.items)
        mean = (TaskScore("a", "acc", 1.0, 0.0, len(scores), True),)
        race.take(dict.fromkeys(heat.names, Evaluation("search", mean, scores)))
    assert most_answers(racing.racing, count) == answers
