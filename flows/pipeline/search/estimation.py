"""Estimates in the search: fits the estimator, and replaces scores on some items by estimates.

The parents, the baselines and generation 0 are evaluated in full, all later candidates on the
items that the estimator asks for. It is fitted once, when generation 0 is done, to those outcomes
in a fixed order: a replay fits the same and tells the same.
"""

from collections.abc import Iterable
from dataclasses import replace

from flows.pipeline.search.search_checks import specs
from flows.pipeline.session import SearchSession, evaluate_all
from stages.errors import EvaluationError
from stages.evaluate.estimators.estimator import Estimator
from stages.lineage.outcome import Outcome
from stages.select.final.baselines import references

SPLIT = "search"


def learn(session: SearchSession, generation: Iterable[Outcome]) -> Estimator | None:
    """Return the estimator of ``evaluate.estimator``; None where every item is to be evaluated.

    ``generation``: the outcomes of generation 0 on the whole split, in ask order.

    Raises:
        EvaluationError: a parent cannot be scored, or too few models could.
    """
    params = session.params.evaluate.estimator
    if params.kind == "none":
        return None
    fixed = references(
        base=session.parents.base,
        parents=session.parents.models,
        merge=session.params.merge,
        specs=specs(session.params),
    )
    known = evaluate_all(session, {ref.name: ref.recipe for ref in fixed}, SPLIT)
    parents = []
    for name in (ref.name for ref in fixed if ref.kind == "parent"):
        evaluation = known[name].evaluation
        if evaluation is None:
            raise EvaluationError(
                f"evaluate.estimator: parent {name} cannot be scored: {known[name].error} An "
                "estimator learns from the parents; fix the cause, or set kind: none."
            )
        parents.append(evaluation)
    others = [known[ref.name] for ref in fixed if ref.kind != "parent"] + list(generation)
    return Estimator.fit(params, parents, [o.evaluation for o in others if o.evaluation])


def estimated(estimator: Estimator | None, outcome: Outcome) -> Outcome:
    """Return ``outcome`` with its scores on some items replaced by estimates of those on all."""
    if estimator is None or outcome.evaluation is None:
        return outcome
    return replace(outcome, evaluation=estimator.estimate(outcome.evaluation))
