"""Scores, held to hand-worked numbers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.hashing import canonical_json
from stages.lineage.evaluation import Evaluation
from tests.evaluations import evaluation_of


def test_fitness_is_the_weighted_mean_of_the_scores() -> None:
    """Weights 3 and 1 of scores 1/2 and 1 give 5/8; standard errors add in quadrature."""
    evaluation = evaluation_of(a=[0.0, 1.0], b=[1.0, 1.0])
    assert 0.625 == evaluation.fitness({"a": 3.0, "b": 1.0})
    assert 0.75 * 0.5 == pytest.approx(evaluation.fitness_stderr({"a": 3.0, "b": 1.0}))


def test_a_lower_is_better_score_counts_negative() -> None:
    """A perplexity of 4 is a fitness of -4."""
    assert -4.0 == evaluation_of(higher_is_better=False, a=[4.0, 4.0]).fitness({"a": 2.0})


@pytest.mark.parametrize("forge", ["score", "items", "count", "stranger", "twice"])
def test_score_that_its_items_do_not_give_is_refused(forge: str) -> None:
    """Whoever writes a score into the store must write items that agree with it."""
    data = evaluation_of(a=[0.0, 1.0], b=[1.0, 1.0]).to_dict()
    match forge:
        case "score":
            data["tasks"][0]["score"] = 0.9
        case "items":
            data["items"][0][2] = 1.0
        case "count":
            data["tasks"][0]["num_items"] = 3
        case "stranger":
            data["items"].append(["c", "i0", 1.0])
        case "twice":
            data["tasks"].append(data["tasks"][0])

    with pytest.raises(ValueError, match=r"items"):
        Evaluation.from_dict(data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "train"}, "split is 'train'; it must be 'search', 'validation', 'test' or"),
        ({"items": [["a", "i0", True], ["a", "i1", 1.0]]}, "items.0.2 is True"),
        ({"items": [["a", 3, 0.0], ["a", "i1", 1.0]]}, "items.0.1 is 3; it must be a valid str"),
        ({"tasks": {}}, "tasks is {}; it must be a valid list"),
    ],
)
def test_a_value_of_another_type_is_refused(changes: dict[str, Any], message: str) -> None:
    """Python would count True as 1."""
    with pytest.raises(ValueError, match=message):
        Evaluation.from_dict({**evaluation_of(a=[0.0, 1.0]).to_dict(), **changes})


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_evaluation_survives_json(values: list[float]) -> None:
    """``from_dict`` is the inverse of ``to_dict``, to the last bit."""
    evaluation = evaluation_of(a=values, b=values)
    again = Evaluation.from_dict(evaluation.to_dict())
    assert evaluation == again
    assert canonical_json(evaluation.to_dict()) == canonical_json(again.to_dict())
