"""p-IRT: scores where items were asked, an item-response model elsewhere (arXiv:2402.14992)."""

from collections.abc import Callable
from dataclasses import dataclass

from stages.evaluate.estimators import irt
from stages.evaluate.estimators.answers import Answers, Array, Places, Weighted
from stages.evaluate.estimators.stratified import stratified
from stages.params.evaluate_params import EstimatorParams

Ability = Callable[[Places, Array], Array]


@dataclass(frozen=True, slots=True)
class ItemResponse:
    """The mean of the scores at ``places`` and of the expected scores of all other items."""

    sample: Weighted
    items: irt.ItemModel
    ability: Ability  # of a model, from its scores at the places

    @property
    def places(self) -> Places:
        """The items that are asked."""
        return self.sample.places

    def estimate(self, scores: Array) -> float:
        """Return the mean over all items; it is exact where all were asked."""
        expected = self.items.probabilities(self.ability(self.places, scores))
        expected[self.places] = scores
        return float(expected.mean())


def p_irt(answers: Answers, params: EstimatorParams) -> ItemResponse:
    """Return the estimator that finds a candidate's ability from its own scores alone.

    The items asked are those of the stratified sample.
    Differs from the paper: the item model is fitted to the user's own task, with priors.
    """
    items = irt.fit(answers.scores, params.dimensions)
    return ItemResponse(stratified(answers, params), items, items.ability)
