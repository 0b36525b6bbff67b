"""mp-IRT: p-IRT for merges, whose ability is a mixture of their parents' (arXiv:2502.10436)."""

from stages.evaluate.estimators import irt
from stages.evaluate.estimators.answers import Answers, Array, Places
from stages.evaluate.estimators.p_irt import ItemResponse
from stages.evaluate.estimators.stratified import stratified
from stages.params.evaluate_params import EstimatorParams


def mp_irt(answers: Answers, params: EstimatorParams) -> ItemResponse:
    """Return the estimator that finds a candidate's ability among mixtures of its parents'.

    The items asked are those of the stratified sample.
    Differs from the paper: the item model is fitted to the user's own task, with priors, and a
    prior holds the mixture near equal shares, so that all-right and all-wrong do not diverge.
    """
    items = irt.fit(answers.scores, params.dimensions)
    endpoints = items.abilities[: answers.num_parents]

    def ability(places: Places, scores: Array) -> Array:
        return items.mixture(endpoints, places, scores)

    return ItemResponse(stratified(answers, params), items, ability)
