"""Item-response theory: the two-parameter logistic model in one to three dimensions.

p(model m scores on item i) = sigmoid(slopes_i . ability_m - difficulty_i). All are fitted at once,
as the mode of the posterior under Gaussian priors, so that an item that all or no models answer
and a model that answers all or none stay finite.

A score between 0 and 1 counts as that fraction of a right answer (the quasi-likelihood of Papke
and Wooldridge 1996): the model's p is then the expected score.

Source: Lord and Novick 1968; Reckase 2009, "Multidimensional Item Response Theory", chapter 4.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from stages.evaluate.estimators.answers import Array, Places

# Standard deviations of the priors. Those of the models fitted to are 1, which fixes the scale of
# the others; a later candidate may be far better than all of them, so its prior is wider.
_SLOPE_SD = 1.5
_DIFFICULTY_SD = 3.0
_CANDIDATE_SD = 3.0
_SHARE_SD = 1.0
_MAX_STEPS = 500


@dataclass(frozen=True, slots=True)
class ItemModel:
    """Items by slopes and difficulties, and the abilities of the models it was fitted to."""

    slopes: Array  # items x dimensions
    difficulties: Array  # items
    abilities: Array  # models x dimensions

    def probabilities(self, ability: Array) -> Array:
        """Return the expected score of every item for a model of ``ability``."""
        return np.asarray(expit(self.slopes @ ability - self.difficulties))

    def ability(self, places: Places, scores: Array) -> Array:
        """Return the most probable ability of a model with ``scores`` on the items ``places``."""
        features, offsets = self.slopes[places], self.difficulties[places]
        return _mode(features, offsets, scores, (np.zeros(features.shape[1]), _CANDIDATE_SD))

    def mixture(self, endpoints: Array, places: Places, scores: Array) -> Array:
        """Return the ability of a merge, as the most probable mixture of its parents' abilities.

        ``endpoints``: parents x dimensions. The mixture's k shares are drawn to 1 / k by a
        Gaussian prior of standard deviation 1; they may leave [0, 1], as a merge may go beyond
        its parents.
        """
        features, offsets = self.slopes[places] @ endpoints.T, self.difficulties[places]
        equal = np.full(len(endpoints), 1 / len(endpoints))
        shares = _mode(features, offsets, scores, (equal, _SHARE_SD))
        return np.asarray(shares @ endpoints)


def fit(scores: Array, dimensions: int) -> ItemModel:
    """Return the item model of ``scores`` (models x items, each in [0, 1]); equal in, equal out.

    It starts from the leading singular vectors of the scores less the items' means.
    """
    num_models, num_items = scores.shape
    cut = num_models * dimensions

    def split(flat: Array) -> tuple[Array, Array, Array]:
        slopes_end = cut + num_items * dimensions
        return (
            flat[:cut].reshape(num_models, dimensions),
            flat[cut:slopes_end].reshape(num_items, dimensions),
            flat[slopes_end:],
        )

    def loss(flat: Array) -> tuple[float, Array]:
        abilities, slopes, difficulties = split(flat)
        logits = abilities @ slopes.T - difficulties
        excess = expit(logits) - scores
        value = _surprise(logits, scores) + 0.5 * (
            float((abilities**2).sum())
            + float((slopes**2).sum()) / _SLOPE_SD**2
            + float((difficulties**2).sum()) / _DIFFICULTY_SD**2
        )
        gradient = (
            excess @ slopes + abilities,
            excess.T @ abilities + slopes / _SLOPE_SD**2,
            difficulties / _DIFFICULTY_SD**2 - excess.sum(axis=0),
        )
        return value, np.concatenate([part.ravel() for part in gradient])

    abilities, slopes, difficulties = split(_least(loss, _start(scores, dimensions)))
    return ItemModel(slopes, difficulties, abilities)


def _start(scores: Array, dimensions: int) -> Array:
    """Return abilities, slopes and difficulties near the mode, in one row."""
    num_models, num_items = scores.shape
    means = (scores.sum(axis=0) + 0.5) / (num_models + 1)
    left, sizes, right = np.linalg.svd(scores - scores.mean(axis=0), full_matrices=False)
    kept = min(dimensions, len(sizes))
    # The sign of a singular vector is arbitrary: make its entry farthest from 0 positive.
    signs = np.sign(left[np.abs(left).argmax(axis=0), range(left.shape[1])])
    abilities, slopes = np.zeros((num_models, dimensions)), np.zeros((num_items, dimensions))
    abilities[:, :kept] = (left * signs)[:, :kept] * np.sqrt(num_models)
    slopes[:, :kept] = (right.T * signs * sizes)[:, :kept] * 4 / np.sqrt(num_models)
    difficulties = np.log(1 - means) - np.log(means)
    return np.concatenate([abilities.ravel(), slopes.ravel(), difficulties])


def _mode(features: Array, offsets: Array, scores: Array, prior: tuple[Array, float]) -> Array:
    """Return the most probable weights w where logits are ``features @ w - offsets``.

    ``prior``: mean and standard deviation of the weights.
    """
    centre, deviation = prior

    def loss(weights: Array) -> tuple[float, Array]:
        logits = features @ weights - offsets
        away = (weights - centre) / deviation
        value = _surprise(logits, scores) + 0.5 * float(away @ away)
        return value, features.T @ (expit(logits) - scores) + away / deviation

    return _least(loss, centre)


def _surprise(logits: Array, scores: Array) -> float:
    """Return the negative log-likelihood of ``scores``."""
    return float((np.logaddexp(0.0, logits) - scores * logits).sum())


def _least(loss: Callable[[Array], tuple[float, Array]], start: Array) -> Array:
    result = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _MAX_STEPS, "gtol": 1e-6, "ftol": 1e-12},
    )
    return np.asarray(result.x)
