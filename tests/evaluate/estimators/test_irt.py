"""The item-response model: what it recovers, and what its priors hold."""

import numpy as np
import pytest
from scipy.special import expit

from stages.evaluate.estimators import irt
from tests.evaluate.estimators.worlds import answered, chances


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_model_recovers_the_chances_behind_the_answers(dimensions: int) -> None:
    """From right and wrong alone, chances are found far better than by the items' means."""
    model = irt.fit(answered(60, 80, seed=0), dimensions)
    expected = chances(60, 80, seed=0)
    said = np.array([model.probabilities(ability) for ability in model.abilities])
    by_item = np.broadcast_to(expected.mean(axis=0), expected.shape)
    assert abs(said - expected).mean() < 0.65 * abs(by_item - expected).mean()
    assert (60, dimensions) == model.abilities.shape
    assert (80, dimensions) == model.slopes.shape


def test_fit_is_where_the_posterior_is_flat() -> None:
    """No small step from the fit makes answers and priors together more probable."""
    scores = answered(6, 9, seed=3)

    def surprise(model: irt.ItemModel) -> float:
        logits = model.abilities @ model.slopes.T - model.difficulties
        likely = scores * np.log(expit(logits)) + (1 - scores) * np.log(expit(-logits))
        priors = (model.abilities**2).sum() + (model.slopes**2).sum() / 1.5**2
        return float(-likely.sum() + (priors + (model.difficulties**2).sum() / 3**2) / 2)

    fitted = irt.fit(scores, 2)
    draw = np.random.default_rng(0)
    for _ in range(200):
        moved = irt.ItemModel(
            *(
                part + draw.normal(size=part.shape) * 0.01
                for part in (fitted.slopes, fitted.difficulties, fitted.abilities)
            )
        )
        assert surprise(fitted) <= surprise(moved)


def test_all_right_and_all_wrong_stay_finite() -> None:
    """Priors hold models and items without a right or a wrong answer, in their order."""
    scores = np.array([[1.0] * 6, [1, 1, 1, 0, 0, 1], [1, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]])
    model = irt.fit(scores, 1)
    assert np.isfinite(model.abilities).all()
    assert np.abs(model.difficulties).max() < 10
    places = np.arange(6)
    means = [
        model.probabilities(model.ability(places, np.full(6, value))).mean()
        for value in (0.0, 0.5, 1.0)
    ]
    assert 0 < means[0] < means[1] < means[2] < 1
    parents = model.abilities[:2]
    assert np.isfinite(model.mixture(parents, places, np.ones(6))).all()


def test_ability_is_the_mode_that_a_grid_finds() -> None:
    """A candidate's ability is where a search of all of them finds the most probable one."""
    model = irt.fit(answered(20, 30, seed=1), 1)
    places, scores = np.array([3, 8, 20]), np.array([1.0, 0.0, 0.25])
    grid = np.linspace(-12, 12, 24001)
    logits = np.outer(grid, model.slopes[places, 0]) - model.difficulties[places]
    likely = (scores * np.log(expit(logits)) + (1 - scores) * np.log(expit(-logits))).sum(axis=1)
    best = grid[(likely - grid**2 / (2 * 3**2)).argmax()]
    assert pytest.approx(best, abs=2e-3) == model.ability(places, scores)[0]


def test_mixture_is_the_mode_that_a_grid_finds() -> None:
    """The shares of the parents are those that a search of all pairs finds, near one half."""
    model = irt.fit(answered(20, 30, seed=1), 2)
    parents, places = model.abilities[:2], np.array([1, 5, 9, 13])
    scores = np.array([1.0, 1.0, 0.0, 1.0])
    grid = np.linspace(-4, 4, 801)
    shares = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    logits = shares @ parents @ model.slopes[places].T - model.difficulties[places]
    likely = (scores * np.log(expit(logits)) + (1 - scores) * np.log(expit(-logits))).sum(axis=1)
    best = shares[(likely - ((shares - 0.5) ** 2).sum(axis=1) / 2).argmax()]
    expected = best @ parents
    assert pytest.approx(expected, abs=0.02) == model.mixture(parents, places, scores)


def test_fractions_count_as_shares_of_a_right_answer() -> None:
    """Items that every model half answers are expected to be half answered."""
    scores = answered(12, 20, seed=5)
    scores[:, :4] = 0.5
    model = irt.fit(scores, 1)
    for ability in model.abilities:
        assert pytest.approx(0.5, abs=0.03) == model.probabilities(ability)[:4].mean()


def test_more_dimensions_than_models_fit() -> None:
    """Two models and three dimensions give a finite fit."""
    assert np.isfinite(irt.fit(answered(2, 5, seed=0), 3).slopes).all()


def test_equal_answers_give_equal_bits() -> None:
    """A fit draws no random number."""
    scores = answered(10, 15, seed=2)
    assert np.array_equal(irt.fit(scores, 2).slopes, irt.fit(scores.copy(), 2).slopes)
