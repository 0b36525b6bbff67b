"""gp-IRT: half p-IRT, half the weighted mean of the items asked (arXiv:2402.14992)."""

from dataclasses import dataclass

from stages.evaluate.estimators.answers import Answers, Array, Places, Weighted
from stages.evaluate.estimators.p_irt import ItemResponse, p_irt
from stages.evaluate.estimators.stratified import stratified
from stages.params.evaluate_params import EstimatorParams


@dataclass(frozen=True, slots=True)
class Blend:
    """The middle of two estimates from the same items.

    The item-response model errs where it does not fit the task, the weighted mean where the items
    asked are few: half and half errs less than the worse of the two.
    """

    model: ItemResponse
    sample: Weighted

    @property
    def places(self) -> Places:
        """The items that are asked."""
        return self.sample.places

    def estimate(self, scores: Array) -> float:
        """Return the mean of both estimates."""
        return (self.model.estimate(scores) + self.sample.estimate(scores)) / 2


def gp_irt(answers: Answers, params: EstimatorParams) -> Blend:
    """Return p-IRT blended with the stratified mean.

    Differs from the paper: the share of either is one half, not set task by task.
    """
    return Blend(p_irt(answers, params), stratified(answers, params))
