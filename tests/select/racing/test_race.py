"""The race of a generation: who goes on, who is stopped, and what the optimiser is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.errors import ParamsError
from stages.lineage.evaluation import Evaluation, Items, ItemScore, TaskScore
from stages.params.select_params import RacingParams
from stages.select.racing.race import Race, blocks, course

ITEMS: Items = tuple((task, f"{task}{i}") for task in "ab" for i in range(20))
WEIGHTS = {"a": 1.0, "b": 3.0}


def answers(skill: float, items: Items, *, metric: str = "acc") -> Evaluation:
    """Return what a candidate scores that gets the first ``skill`` of each task's items right."""
    scored = tuple(ItemScore(t, i, float(int(i[1:]) < skill * 20)) for t, i in items)
    totals = []
    for task in dict.fromkeys(t for t, _ in items):
        scores = [item.value for item in scored if item.task == task]
        totals.append(TaskScore(task, metric, sum(scores) / len(scores), 0.0, len(scores), True))
    return Evaluation("search", tuple(totals), scored)


def race_of(skills: dict[str, float | None], **options: object) -> Race:
    """Run a race of candidates with these skills; None fails."""
    params = RacingParams.model_validate(
        {"rungs": [5, 10, 20], "keep": 1 / 3, "confidence": None} | options
    )
    race = Race(list(skills), ITEMS, params, WEIGHTS, seed=1, generation=0)
    finish(race, skills)
    return race


def finish(race: Race, skills: dict[str, float | None]) -> list[int]:
    """Run a race to its end; return how many candidates each heat had."""
    sizes = []
    while (heat := race.next()) is not None:
        skilled = {name: skills[name] for name in heat.names}
        race.take({n: None if s is None else answers(s, heat.items) for n, s in skilled.items()})
        sizes.append(len(heat.names))
    return sizes


def test_the_best_third_goes_on() -> None:
    """Nine start on 5 items of each task, three go on to 10, one to all 20."""
    skills: dict[str, float | None] = {f"c{i}": i / 10 for i in range(9)}
    params = RacingParams(rungs=[5, 10, 20], keep=1 / 3, confidence=None)
    race = Race(list(skills), ITEMS, params, WEIGHTS, seed=1, generation=0)
    assert [9, 3, 1] == finish(race, skills)
    counts = sorted(len(e.items) for e in race.evaluations.values())
    assert [10] * 6 + [20] * 2 + [40] == counts


def test_items_are_nested_and_asked_once() -> None:
    """No item is asked twice; the finalist's evaluation is that of the whole split, in order."""
    race = race_of({"good": 0.7, "bad": 0.1, "worse": 0.0})
    assert answers(0.7, ITEMS).items == race.evaluations["good"].items
    assert answers(0.7, ITEMS).fitness(WEIGHTS) == race.evaluations["good"].fitness(WEIGHTS)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_rungs_count_the_heats_that_were_answered(drawn: list[float]) -> None:
    """Who reached more rungs answered more items; one of those who went furthest is the best."""
    skills: dict[str, float | None] = {f"c{i}": skill for i, skill in enumerate(drawn)}
    race = race_of(skills)
    num_items = {0: 0, 1: 10, 2: 20, 3: 40}
    for name, rung in race.rungs().items():
        assert num_items[rung] == len(race.evaluations[name].items)
    last = [n for n, rung in race.rungs().items() if rung == max(race.rungs().values())]
    assert race.best() == max(race.evaluations[n].fitness(WEIGHTS) for n in last)


def test_a_failure_reaches_no_rung_and_stops_no_one() -> None:
    """The others race on; a race of failures alone ends."""
    race = race_of({"good": 0.5, "broken": None})
    assert {"good": 3, "broken": 0} == race.rungs()
    assert 0.5 == race.best()
    assert {"x": 0} == race_of({"x": None}).rungs()
    assert race_of({"x": None}).best() is None


def test_ties_go_to_the_earlier_name() -> None:
    """Of equals the first goes on, so the number of workers decides nothing."""
    race = race_of({"a": 0.5, "b": 0.5, "c": 0.5})
    assert ["a"] == [n for n, e in race.evaluations.items() if len(e.items) == len(ITEMS)]


def test_whoever_is_surely_worse_than_the_leader_is_stopped() -> None:
    """Of two that both go on, one that loses on nearly every item is stopped; a close one not."""
    params = RacingParams(rungs=[5, 15, 20], confidence=0.9, keep=0.9)
    for skill, heats in ((0.0, [2, 1, 1]), (0.95, [2, 2, 2])):
        race = Race(["good", "bad"], ITEMS, params, WEIGHTS, seed=1, generation=0)
        assert heats == finish(race, {"good": 1.0, "bad": skill})


def test_more_rivals_need_more_evidence() -> None:
    """Any of many may lead by luck, so one that two alone would stop goes on among many."""
    params = RacingParams(rungs=[8, 20], confidence=0.9, keep=0.99)
    sizes = []
    for count in (1, 50):
        skills: dict[str, float | None] = {f"c{i}": 1.0 for i in range(count)}
        skills["bad"] = 0.0
        race = Race(list(skills), ITEMS, params, WEIGHTS, seed=1, generation=0)
        finish(race, skills)
        sizes.append(len(race.evaluations["bad"].items))
    assert [16, 40] == sizes


def test_the_order_of_items_is_drawn_by_seed_and_generation() -> None:
    """Each orders all items, one of each task to a block; others, otherwise."""
    first, second, third = blocks(ITEMS, 1, 0), blocks(ITEMS, 2, 0), blocks(ITEMS, 1, 1)
    assert first != second != third != first
    assert [set(b) for b in first] == [set(b) for b in blocks(ITEMS[::-1], 1, 0)]
    for order in (first, second, third):
        assert sorted(ITEMS) == sorted(pair for block in order for pair in block)
        assert all({"a", "b"} == {task for task, _ in block} for block in order)


def test_the_course_is_what_the_last_heat_has_answered() -> None:
    """With a last rung of 10, whoever is never stopped answers those 20 items, in split order."""
    params = RacingParams(rungs=[4, 10], confidence=None)
    race = Race(["x"], ITEMS, params, WEIGHTS, seed=3, generation=2)
    finish(race, {"x": 0.6})
    assert course(ITEMS, params, 3, 2) == tuple(
        (i.task, i.item) for i in race.evaluations["x"].items
    )
    assert 20 == len(course(ITEMS, params, 3, 2))


def test_tasks_of_different_size_are_refused() -> None:
    """A race asks for as many items of each task."""
    with pytest.raises(ParamsError, match=r"tasks differ .* \(a 20, b 19\)"):
        blocks(ITEMS[:-1], 1, 0)


def uniform(score: float, items: Items, *, higher_is_better: bool = True) -> Evaluation:
    """Return what a candidate scores that gets ``score`` on every item."""
    totals = (TaskScore(t, "own", score, 0.0, 5, higher_is_better) for t in "ab")
    return Evaluation("search", tuple(totals), tuple(ItemScore(t, i, score) for t, i in items))


@pytest.mark.parametrize("score", [7.0, 1.01, -0.01, -1.0])
@pytest.mark.parametrize("higher_is_better", [True, False])
def test_bounds_refuse_scores_that_have_none(score: float, higher_is_better: bool) -> None:
    """The first item score outside [0, 1] ends the run, also in the last heat and of one alone."""
    bounded = RacingParams(rungs=[5, 9], confidence=0.9)
    race = Race(["x"], ITEMS, bounded, WEIGHTS, seed=1, generation=0)
    for value, refused in ((1.0, False), (score, True)):
        heat = race.next()
        assert heat is not None
        answer = {"x": uniform(value, heat.items, higher_is_better=higher_is_better)}
        if refused:
            with pytest.raises(ParamsError, match=rf"task a scores {value:g} on item a.* to null"):
                race.take(answer)
        else:
            race.take(answer)
    free = Race(["x"], ITEMS, RacingParams(rungs=[5], confidence=None), {}, seed=1, generation=0)
    free.take({"x": uniform(score, ITEMS)})


def test_rounding_is_not_outside_the_bounds() -> None:
    """A score that sums to 1 but for rounding, such as 1.0000000000000002, stays legal."""
    race = Race(["x"], ITEMS, RacingParams(rungs=[5]), WEIGHTS, seed=1, generation=0)
    race.take({"x": uniform(1.0 + 2e-16, ITEMS)})
    assert {"x": 1} == race.rungs()
