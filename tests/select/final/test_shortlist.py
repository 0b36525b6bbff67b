"""The final choice, the baselines and the warm starts."""

from dataclasses import replace
from typing import Any

import pytest

from stages.errors import LineageError, ParamsError
from stages.lineage.evaluation import Evaluation, ItemScore, TaskScore
from stages.lineage.rows import MEAN, Row, Status, candidate_name
from stages.params.merge_params import MergeParams
from stages.params.select_params import RacingParams, SelectParams
from stages.recipe.candidate import Candidate
from stages.recipe.recipe import Model, Recipe, Rule
from stages.select.final.baselines import BASELINES, baselines, references
from stages.select.final.shortlist import champion, shortlist
from stages.select.final.shortlist_p_values import against
from stages.select.final.warm_starts import warm_starts
from tests.select.specs import SPECS, space_of

BASE = Model("base", "00")
PARENTS = (Model("math", "11"), Model("french", "22"), Model("sort", "33"))


def _row(number: int, fitness: float | None, weight: float) -> Row:
    """Return a row of generation 0."""
    recipe = Recipe.of_models("linear", PARENTS, (Rule({"weight": (weight, 0.0, 0.0)}),))
    candidate = Candidate(candidate_name(0, number), (weight,), recipe, 0)
    genes = {"weight.math": weight}
    status: Status = "failed" if fitness is None else "ok"
    return Row(
        candidate.name, candidate.id, 0, (), genes, recipe, {}, status, "ff", fitness=fitness
    )


def _evaluation(score: float) -> Evaluation:
    """Return an evaluation of one task."""
    return Evaluation("validation", (TaskScore("arc", "acc", score, 0.1, 9, True),), ())


def _listed(rows: list[Row], **params: Any) -> list[str]:
    """Return the names on the shortlist."""
    return [row.name for row in shortlist(rows, SelectParams(**params))]


def test_shortlist_takes_distinct_recipes_best_first() -> None:
    """A recipe counts once, at its earliest row; ties go to the earliest; failures are out."""
    rows = [
        _row(0, 0.5, 0.1),
        _row(1, 0.9, 0.2),
        _row(2, 0.9, 0.2),
        _row(3, None, 0.3),
        _row(4, 0.9, 0.4),
    ]
    assert ["g00-c01", "g00-c04"] == _listed(rows[::-1], shortlist=2)


def test_shortlist_adds_the_mean_of_the_search() -> None:
    """The row called mean is listed whatever its rank, once."""
    mean = replace(_row(9, 0.1, 0.9), name=MEAN, generation=7)
    rows = [_row(i, 0.5 + i / 10, i / 10) for i in range(4)]
    assert ["g00-c03", "g00-c02", MEAN] == _listed([mean, *rows], shortlist=2)
    assert 5 == len(_listed([mean, *rows], shortlist=9))
    same = replace(mean, id=rows[3].id)
    assert ["g00-c03", "g00-c02"] == _listed([same, *rows], shortlist=2)


def test_shortlist_of_races_takes_the_last_winners() -> None:
    """Fitness on other items says nothing: the last generations' best, stopped ones left out."""
    raced = {"g00-c00": (0.9, 8), "g01-c00": (0.5, 8), "g01-c01": (0.6, 8), "g02-c00": (0.4, 8)}
    raced |= {"g02-c01": (0.8, 4), MEAN: (0.3, 8)}
    rows = []
    for i, (name, (fitness, count)) in enumerate(raced.items()):
        row = replace(_row(i, fitness, i / 10), name=name)
        scores = {"search": {"arc": {"num_items": count}}}
        generation = 3 if name == MEAN else int(name[1:3])
        rows.append(replace(row, scores=scores, generation=generation))
    racing = RacingParams(rungs=[4, 8])
    assert ["g02-c00", "g01-c01", MEAN] == _listed(rows[::-1], shortlist=2, racing=racing)
    rows[3] = replace(rows[3], id=rows[2].id)  # a winner again
    assert ["g02-c00", "g00-c00", MEAN] == _listed(rows, shortlist=2, racing=racing)
    assert [MEAN] == _listed(rows, shortlist=0, racing=racing)


def test_champion_has_the_best_validation_fitness() -> None:
    """The highest validation fitness wins, the first of equals; a failure cannot win."""
    rows = [_row(i, 0.5, i / 10) for i in range(4)]
    scores = {row.name: _evaluation(s) for row, s in zip(rows, (0.3, 0.7, 0.7), strict=False)}
    assert "g00-c01" == champion(rows, {**scores, "g00-c03": None}, {"arc": 2.0}).name


def test_choosing_from_nothing_is_an_error() -> None:
    """A run in which all failed has an empty shortlist, and a failed validation no champion."""
    assert [] == _listed([_row(0, None, 0.1)], shortlist=3)
    with pytest.raises(LineageError, match="none of 1 shortlisted"):
        champion([_row(0, 0.5, 0.1)], {"g00-c00": None}, {})


def test_baselines_are_valid_recipes_of_their_methods() -> None:
    """Each fixed merge gives its method what it needs and nothing it does not take."""
    recipes = baselines(base=BASE, parents=PARENTS, merge=MergeParams(), specs=SPECS)
    assert BASELINES == tuple(recipes)
    for recipe in recipes.values():
        taken = {p.name: p for p in SPECS[recipe.method].parameters}
        (rule,) = recipe.rules
        assert set(rule.values) <= set(taken)
        assert {p.name for p in taken.values() if p.default is None} <= set(rule.values)
    assert 0.4 == recipes["task_arithmetic"].rules[0].values["weight"]
    assert 0.2 == recipes["ties"].rules[0].values["density"]
    assert 0.5 == recipes["dare_ties"].rules[0].values["density"]


def test_references_hold_base_parents_and_baselines() -> None:
    """Everything the champion meets, each under a name of its own."""
    models = references(base=BASE, parents=PARENTS, merge=MergeParams(), specs=SPECS)
    names = ["base", "math", "french", "sort", *BASELINES]
    assert names == [reference.name for reference in models]
    assert (PARENTS[1],) == models[2].recipe.merged
    with pytest.raises(ParamsError, match="a parent is called 'ties'"):
        references(base=BASE, parents=(Model("ties", "1"),), merge=MergeParams(), specs=SPECS)


def test_references_of_a_union_name_all_models() -> None:
    """Where rows are moved a model alone is picked out of all, which make the vocabulary."""
    models = references(
        base=BASE, parents=PARENTS, merge=MergeParams(tokenizer="union"), specs=SPECS
    )
    alone = {r.name: r.recipe for r in models if r.kind in ("base", "parent")}
    for model in (*PARENTS, BASE):
        recipe = alone[model.name if model is not BASE else "base"]
        assert (model,) == recipe.merged
        assert (BASE, *PARENTS) == recipe.ancestors


def test_warm_starts_are_named_distinct_and_in_the_space() -> None:
    """The uniform average and each parent alone, as weights; what coincides is kept once."""
    space = space_of("task_arithmetic", parents=3)
    starts = warm_starts(["uniform", "parents", "ties"], space)
    third = round(1 / 3, 4)
    assert {
        "uniform": (third,) * 3,
        "p0": (1.0, 0.0, 0.0),
        "p1": (0.0, 1.0, 0.0),
        "p2": (0.0, 0.0, 1.0),
    } == starts


@pytest.mark.parametrize(
    ("method", "density"), [("ties", 0.2), ("dare_ties", 0.5), ("della", 0.2)]
)
def test_warm_starts_are_the_recipes_that_they_are_called_after(
    method: str, density: float
) -> None:
    """Without normalisation TIES' weights stay 1: a third would be a third of its task vector."""
    start = "dare_ties" if method == "dare_ties" else "ties"
    space = space_of(method, parents=3)
    starts = warm_starts([start, "uniform"], space)
    values = space.decode(starts[start])[1][0].values
    assert (1.0,) * 3 == values["weight"]
    assert (density,) * 3 == values["density"]
    third = round(1 / 3, 4)
    assert (third,) * 3 == space.decode(starts["uniform"])[1][0].values["weight"]


@pytest.mark.parametrize("method", ["linear", "task_arithmetic", "ties", "wudi"])
def test_warm_starts_that_are_one_merge_take_one_candidate(method: str) -> None:
    """Equal weights of any sum are one merge where weights are normalised; the first stays."""
    space = space_of(method, parents=3, normalize=method != "wudi")
    starts = warm_starts(["uniform", "task_arithmetic", "parents"], space)
    assert ["uniform", "p0", "p1", "p2"] == list(starts)
    apart = warm_starts(["uniform", "task_arithmetic"], space_of("task_arithmetic", parents=3))
    assert ["uniform", "task_arithmetic"] == list(apart)


def test_warm_start_names_are_checked() -> None:
    """An unknown start is refused with the legal ones."""
    with pytest.raises(ParamsError, match="unknown start 'best'"):
        warm_starts(["best"], space_of("linear"))


def test_the_shortlist_says_how_surely_the_champion_differs() -> None:
    """Ten items won are p = 2/1024, times the six pairs of four; what failed has none."""

    def answers(*scores: float) -> Evaluation:
        items = tuple(ItemScore("arc", str(n), score) for n, score in enumerate(scores))
        total = TaskScore("arc", "acc", sum(scores) / 10, 0.1, 10, True)
        return Evaluation("validation", (total,), items)

    rows = [_row(i, 0.5, i / 10) for i in range(5)]
    validation = {
        "g00-c00": answers(*[0.0] * 10),
        "g00-c01": answers(*[1.0] * 10),
        "g00-c02": answers(*[1.0] * 10),
        "g00-c03": None,
        "g00-c04": answers(*[0.0] * 10),
    }
    listed = against(rows[1], rows, validation, {"arc": 1.0})
    p = 6 * 2 / 1024
    assert [p, None, 1.0, None, p] == pytest.approx([item.p_value for item in listed])
    assert [0.0, 1.0, 1.0, None, 0.0] == [item.validation_fitness for item in listed]


def _scored(scores: list[tuple[float, float]]) -> list[Row]:
    """Return a row for each pair of scores of two tasks."""
    return [
        replace(
            _row(i, sum(pair) / 2, i / 10),
            scores={
                "search": {
                    task: {"score": score, "num_items": 9, "higher_is_better": True}
                    for task, score in zip("ab", pair, strict=True)
                }
            },
        )
        for i, pair in enumerate(scores)
    ]


def test_separate_objectives_spread_the_shortlist_over_the_front() -> None:
    """The ends of the front come first, whatever their weighted fitness; the beaten come last."""
    rows = _scored([(0.9, 0.1), (0.1, 0.9), (0.5, 0.55), (0.4, 0.5), (0.6, 0.5)])
    listed = _listed(rows, shortlist=5, objectives="separate")
    assert {"g00-c00", "g00-c01"} == set(listed[:2])
    assert "g00-c03" == listed[4]
    assert ["g00-c04"] == _listed(rows, shortlist=1)


def test_copies_of_an_end_take_no_place_of_the_front() -> None:
    """Rows of equal scores stand for one point: the shortlist has every point before a copy."""
    scores = [*[(0.9, 0.1)] * 3, *[(0.1, 0.9)] * 2, (0.49, 0.49), (0.6, 0.38)]
    names = _listed(_scored(scores), shortlist=4, objectives="separate")
    listed = [scores[int(name[-2:])] for name in names]
    assert set(scores) == set(listed)
    assert {(0.9, 0.1), (0.1, 0.9)} == set(listed[:2])
