"""The final choice, the baselines and the warm starts."""

from dataclasses import replace

import pytest

from stages.errors import LineageError, ParamsError
from stages.lineage import MEAN, Row, Status, candidate_name
from stages.params import MergeParams
from stages.recipe import Candidate, Model, Recipe, Rule
from stages.scores import Evaluation, TaskScore
from stages.select.baselines import BASELINES, baselines, references, warm_starts
from stages.select.choose import champion, shortlist
from tests.select.specs import SPECS, space_of

BASE = Model("base", "00")
PARENTS = (Model("math", "11"), Model("french", "22"), Model("sort", "33"))


def _row(place: int, fitness: float | None, weight: float) -> Row:
    """Return a row of generation 0."""
    recipe = Recipe("linear", PARENTS, (Rule({"weight": (weight, 0.0, 0.0)}),))
    candidate = Candidate(candidate_name(0, place), (weight,), recipe, 0)
    genes = {"weight.math": weight}
    status: Status = "failed" if fitness is None else "ok"
    return Row(
        candidate.name, candidate.id, 0, (), genes, recipe, {}, status, "ff", fitness=fitness
    )


def _evaluation(score: float) -> Evaluation:
    """Return an evaluation of one task."""
    return Evaluation("validation", (TaskScore("arc", "acc", score, 0.1, 9, True),), ())


def test_shortlist_takes_distinct_recipes_best_first() -> None:
    """A recipe counts once, at its earliest row; ties go to the earliest; failures are out."""
    rows = [
        _row(0, 0.5, 0.1),
        _row(1, 0.9, 0.2),
        _row(2, 0.9, 0.2),
        _row(3, None, 0.3),
        _row(4, 0.9, 0.4),
    ]
    assert ["g00-c01", "g00-c04"] == [row.name for row in shortlist(rows[::-1], 2)]


def test_shortlist_adds_the_mean_of_the_search() -> None:
    """The row called mean is listed whatever its rank, once."""
    mean = replace(_row(9, 0.1, 0.9), name=MEAN, generation=7)
    rows = [_row(i, 0.5 + i / 10, i / 10) for i in range(4)]
    assert ["g00-c03", "g00-c02", MEAN] == [row.name for row in shortlist([mean, *rows], 2)]
    assert 5 == len(shortlist([mean, *rows], 9))
    same = replace(mean, id=rows[3].id)
    assert ["g00-c03", "g00-c02"] == [row.name for row in shortlist([same, *rows], 2)]


def test_champion_has_the_best_validation_fitness() -> None:
    """The highest validation fitness wins, the first of equals; a failure cannot win."""
    rows = [_row(i, 0.5, i / 10) for i in range(4)]
    scores = {row.name: _evaluation(s) for row, s in zip(rows, (0.3, 0.7, 0.7), strict=False)}
    assert "g00-c01" == champion(rows, {**scores, "g00-c03": None}, {"arc": 2.0}).name


def test_choosing_from_nothing_is_an_error() -> None:
    """A run in which all failed has an empty shortlist, and a failed validation no champion."""
    assert [] == shortlist([_row(0, None, 0.1)], 3)
    with pytest.raises(LineageError, match="none of 1 shortlisted"):
        champion([_row(0, 0.5, 0.1)], {"g00-c00": None}, {})


def test_baselines_are_valid_recipes_of_their_methods() -> None:
    """Each fixed merge gives its method what it needs and nothing it does not take."""
    found = baselines(base=BASE, parents=PARENTS, merge=MergeParams())
    assert BASELINES == tuple(found)
    for recipe in found.values():
        taken = {p.name: p for p in SPECS[recipe.method].parameters}
        (rule,) = recipe.rules
        assert set(rule.values) <= set(taken)
        assert {p.name for p in taken.values() if p.default is None} <= set(rule.values)
    assert (0.4,) * 3 == found["task_arithmetic"].rules[0].values["weight"]
    assert (0.2,) * 3 == found["ties"].rules[0].values["density"]
    assert (0.5,) * 3 == found["dare_ties"].rules[0].values["density"]


def test_references_hold_base_parents_and_baselines() -> None:
    """Everything the champion meets, each under a name of its own."""
    found = references(base=BASE, parents=PARENTS, merge=MergeParams())
    names = ["base", "math", "french", "sort", *BASELINES]
    assert names == [reference.name for reference in found]
    assert (PARENTS[1],) == found[2].recipe.parents
    with pytest.raises(ParamsError, match="a parent is called 'ties'"):
        references(base=BASE, parents=(Model("ties", "1"),), merge=MergeParams())


def test_references_of_a_union_name_all_models() -> None:
    """Where rows are moved a model alone is picked out of all, which make the vocabulary."""
    found = references(base=BASE, parents=PARENTS, merge=MergeParams(tokenizer="union"))
    alone = {r.name: r.recipe for r in found if r.kind in ("base", "parent")}
    for place, model in enumerate((*PARENTS, BASE)):
        recipe = alone[model.name if model is not BASE else "base"]
        assert {"source": place} == recipe.rules[0].values
        assert model == recipe.parents[place]
        assert {*PARENTS, BASE} == {*recipe.parents, recipe.base}


def test_warm_starts_are_named_distinct_and_in_the_space() -> None:
    """The uniform average and each parent alone, as weights; what coincides is kept once."""
    space = space_of("task_arithmetic", parents=3)
    found = warm_starts(["uniform", "parents", "ties"], space)
    third = round(1 / 3, 4)
    assert {
        "uniform": (third,) * 3,
        "p0": (1.0, 0.0, 0.0),
        "p1": (0.0, 1.0, 0.0),
        "p2": (0.0, 0.0, 1.0),
    } == found


def test_warm_start_names_are_checked() -> None:
    """An unknown start is refused with the legal ones."""
    with pytest.raises(ParamsError, match="unknown start 'best'"):
        warm_starts(["best"], space_of("linear"))
