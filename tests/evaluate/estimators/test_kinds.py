"""Every kind of estimator: the laws all obey, and each one's own worked example."""

from typing import Any

import numpy as np
import pytest

from stages.evaluate.estimators import irt
from stages.evaluate.estimators.anchors import anchors
from stages.evaluate.estimators.answers import Answers, Fitted
from stages.evaluate.estimators.estimator import KINDS
from stages.evaluate.estimators.gmp_irt import gmp_irt
from stages.evaluate.estimators.gp_irt import gp_irt
from stages.evaluate.estimators.mean import mean
from stages.evaluate.estimators.mp_irt import mp_irt
from stages.evaluate.estimators.p_irt import p_irt
from stages.evaluate.estimators.stratified import stratified
from stages.params.evaluate_params import EstimatorParams
from tests.evaluate.estimators.worlds import NUM_PARENTS, answered, answers


def params(**changes: Any) -> EstimatorParams:
    """Return the parameters of an estimator of ten items."""
    return EstimatorParams.model_validate({"kind": "mean", "num_items": 10} | changes)


def fitted(kind: str, known: Answers, **changes: Any) -> Fitted:
    """Return an estimator of ``kind``."""
    return KINDS[kind](known, params(kind=kind, **changes))


@pytest.mark.parametrize("kind", KINDS)
def test_estimate_from_all_items_is_the_score(kind: str) -> None:
    """Where every item is asked, the estimate is the mean of all, for any model."""
    estimator = fitted(kind, answers(answered(12, 20, seed=0)), num_items=20)
    assert list(range(20)) == sorted(estimator.places)
    for row in answered(5, 20, seed=9):
        assert pytest.approx(row.mean(), abs=1e-9) == estimator.estimate(row[estimator.places])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_items", [1, 7, 19])
def test_as_many_different_items_are_asked_as_were_wanted(kind: str, num_items: int) -> None:
    """The items are distinct, also where many are answered alike; estimates are in [0, 1]."""
    known = answers(np.repeat(answered(4, 5, seed=0), 4, axis=1))
    estimator = fitted(kind, known, num_items=num_items)
    assert num_items == len(set(estimator.places)) == len(estimator.places)
    for value in (0.0, 1.0):
        assert -1e-12 <= estimator.estimate(np.full(num_items, value)) <= 1 + 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_equal_answers_and_seeds_give_equal_estimates(kind: str) -> None:
    """An estimator is a function of the answers and the seed; another seed asks other items."""
    known = answers(answered(12, 40, seed=1))
    row = answered(1, 40, seed=2)[0]
    first, again = (fitted(kind, known, seed=4) for _ in range(2))
    assert list(first.places) == list(again.places)
    assert first.estimate(row[first.places]) == again.estimate(row[again.places])
    assert set(first.places) != set(fitted(kind, known, seed=5).places)


@pytest.mark.parametrize("kind", KINDS)
def test_better_answers_give_a_better_estimate(kind: str) -> None:
    """Of two candidates, one right wherever the other is and once more is estimated above it."""
    estimator = fitted(kind, answers(answered(12, 40, seed=1)))
    scores = np.zeros(10)
    said = [estimator.estimate(scores)]
    for i in range(10):
        scores[i] = 1
        said.append(estimator.estimate(scores))
    assert said == sorted(said)
    assert len(set(said)) == 11


def test_mean_is_right_on_average_over_the_seeds() -> None:
    """No item is asked more often than another: over many seeds, errors cancel out."""
    known = answers(answered(4, 30, seed=0))
    row = known.scores[3]
    said = []
    for seed in range(400):
        estimator = mean(known, params(seed=seed))
        said.append(estimator.estimate(row[estimator.places]))
    stderr = np.std(said) / np.sqrt(len(said))
    assert abs(np.mean(said) - row.mean()) < 4 * stderr


def test_strata_are_those_of_the_parents() -> None:
    """One item of each difficulty is asked; what other models answer decides nothing."""
    parents = np.array([[0, 1, 1, 0, 1, 1], [0, 1, 0, 0, 1, 0]], dtype=float)
    asked = set()
    for seed in range(20):
        known = answers(np.vstack([parents, answered(3, 6, seed=seed)]), num_parents=2)
        estimator = stratified(known, params(num_items=3, seed=seed))
        assert [1 / 3] * 3 == list(estimator.weights)
        assert [0.0, 0.5, 1.0] == list(parents.mean(axis=0)[estimator.places])
        same = answers(np.vstack([parents, answered(3, 6, seed=99)]), num_parents=2)
        assert list(estimator.places) == list(
            stratified(same, params(num_items=3, seed=seed)).places
        )
        asked |= set(estimator.places)
    assert set(range(6)) == asked


def test_strata_weigh_as_their_items() -> None:
    """Seven items in three strata: three, two and two."""
    estimator = stratified(answers(answered(5, 7, seed=0)), params(num_items=3))
    assert [3 / 7, 2 / 7, 2 / 7] == list(estimator.weights)


def test_anchors_weigh_as_their_clusters() -> None:
    """Of five items answered one way and three another, one each is asked, at 5/8 and 3/8."""
    scores = np.zeros((6, 8))
    scores[:3, [0, 2, 3, 5, 7]] = 1
    scores[3:, [1, 4, 6]] = 1
    estimator = anchors(answers(scores), params(num_items=2))
    weights = {item in (1, 4, 6): estimator.weights[i] for i, item in enumerate(estimator.places)}
    assert {False: 5 / 8, True: 3 / 8} == weights
    for row in scores:
        assert row.mean() == estimator.estimate(row[estimator.places])


def test_item_response_fills_in_what_was_not_asked() -> None:
    """p-IRT and mp-IRT are the mean of the scores seen and the model's chances elsewhere."""
    known = answers(answered(12, 40, seed=1))
    row = answered(1, 40, seed=2)[0]
    model = irt.fit(known.scores, 2)
    places = stratified(known, params()).places
    abilities = {
        p_irt: model.ability(places, row[places]),
        mp_irt: model.mixture(model.abilities[:NUM_PARENTS], places, row[places]),
    }
    for kind, ability in abilities.items():
        chance = model.probabilities(ability)
        unseen = sum(chance[i] for i in range(40) if i not in places)
        expected = (row[places].sum() + unseen) / 40
        assert pytest.approx(expected) == kind(known, params()).estimate(row[places])


def test_blends_are_half_and_half() -> None:
    """gp-IRT and gmp-IRT are the middle of the model's estimate and the stratified mean."""
    known = answers(answered(12, 40, seed=1))
    plain = stratified(known, params())
    scores = answered(1, 40, seed=2)[0][plain.places]
    for blend, model in ((gp_irt, p_irt), (gmp_irt, mp_irt)):
        expected = (model(known, params()).estimate(scores) + plain.estimate(scores)) / 2
        assert expected == blend(known, params()).estimate(scores)
