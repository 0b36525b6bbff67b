"""A generation's race, heat by heat, through the store."""

from collections.abc import Sequence

from flows.pipeline.session import SearchSession, evaluate_all
from flows.prefect_runtime.console import SearchProgress
from stages.lineage.evaluation import Evaluation
from stages.lineage.outcome import Outcome
from stages.recipe.candidate import Candidate
from stages.select.racing.race import Race


def run_race(
    session: SearchSession,
    candidates: Sequence[Candidate],
    race: Race,
    split: str,
    progress: SearchProgress,
) -> dict[str, Outcome]:
    """Return each candidate's outcome on the items of ``split`` that it met in ``race``."""
    recipes = {candidate.name: candidate.recipe for candidate in candidates}
    last: dict[str, Outcome] = {}
    progress.forget()
    while (heat := race.next()) is not None:
        running = {name: recipes[name] for name in heat.names}
        outcomes = evaluate_all(session, running, split, items=heat.items)
        race.take({name: outcome.evaluation for name, outcome in outcomes.items()})
        last |= outcomes
        still = race.next()
        progress.advance(len(heat.names) - (len(still.names) if still else 0))
    progress.best(race.best())
    return {name: _whole(outcome, race.evaluations.get(name)) for name, outcome in last.items()}


def _whole(outcome: Outcome, evaluation: Evaluation | None) -> Outcome:
    return Outcome(outcome.weights_hash, evaluation, outcome.error)
