"""gmp-IRT: half mp-IRT, half the weighted mean of the items asked (arXiv:2502.10436)."""

from stages.evaluate.estimators.answers import Answers
from stages.evaluate.estimators.gp_irt import Blend
from stages.evaluate.estimators.mp_irt import mp_irt
from stages.evaluate.estimators.stratified import stratified
from stages.params.evaluate_params import EstimatorParams


def gmp_irt(answers: Answers, params: EstimatorParams) -> Blend:
    """Return mp-IRT blended with the stratified mean, half and half as in the paper's code."""
    return Blend(mp_irt(answers, params), stratified(answers, params))
