"""A search stepped through: by generations, or steadily with a window of candidates out.

Both are told in ask order. An audit takes the same steps with the outcomes that were recorded.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from flows.execution.executor import CandidateJob
from flows.pipeline.search.estimation import estimated, learn
from flows.pipeline.search.generation_race import run_race
from flows.pipeline.search_state import SPLIT, Evolution
from flows.pipeline.session import evaluate_all
from flows.prefect_runtime.console import SearchProgress
from stages.lineage.outcome import Outcome
from stages.lineage.rows import Row
from stages.recipe.candidate import Candidate
from stages.select.strategies.ask_schedule import is_steady

Record = Callable[
    [Evolution, Sequence[Candidate], dict[str, Outcome], Mapping[str, int]], list[Row]
]


def generations(
    evolution: Evolution, record: Record, progress: SearchProgress
) -> Iterator[list[Row]]:
    """Propose, score and record a scan and a search; yield the rows of each generation when whole.

    ``record`` tells the strategy. Where a rule ended the search ``evolution.ending`` says it.
    """
    candidates = evolution.scan()
    if candidates:
        outcomes, rungs = score_generation(evolution, candidates, progress)
        yield record(evolution, candidates, outcomes, rungs)
    steps = _steady if is_steady(evolution.session.params.select) else _by_generations
    yield from steps(evolution, record, progress)


def _by_generations(
    evolution: Evolution, record: Record, progress: SearchProgress
) -> Iterator[list[Row]]:
    is_first = True
    while candidates := evolution.propose():
        outcomes, rungs = score_generation(evolution, candidates, progress)
        yield record(evolution, candidates, outcomes, rungs)
        if is_first:
            first = [outcomes[c.name] for c in candidates]
            evolution.estimator = learn(evolution.session, first)
            is_first = False


def _steady(evolution: Evolution, record: Record, progress: SearchProgress) -> Iterator[list[Row]]:
    """Record candidates one by one in ask order, and propose the next after each.

    An outcome that comes early waits. Candidates that are out and share a recipe share its
    evaluation.
    """
    session = evolution.session
    limit_s = session.params.evaluate.timeout_s
    stream = session.outcomes()
    out: deque[tuple[str, Candidate]] = deque()  # with their recipes' ids
    recipe_ids: dict[str, str] = {}  # by label, of the jobs that are not done
    outcomes: dict[str, Outcome] = {}  # by recipe, of candidates that are out
    rows: list[Row] = []
    while True:
        for candidate in evolution.propose():
            recipe_id = candidate.id
            out.append((recipe_id, candidate))
            if recipe_id not in outcomes and recipe_id not in recipe_ids.values():
                label = f"{candidate.name} {SPLIT}"
                recipe_ids[label] = recipe_id
                stream.submit(label, CandidateJob(candidate.recipe, SPLIT, None, limit_s))
        if not out:
            return
        recipe_id, candidate = out.popleft()
        while recipe_id not in outcomes:
            label, outcome = stream.next()
            outcomes[recipe_ids.pop(label)] = outcome
            progress.best(evolution.fitness(outcome))
        outcome = outcomes[recipe_id]
        if all(other != recipe_id for other, _ in out):
            del outcomes[recipe_id]
        progress.advance(1)
        name = candidate.name
        rows += record(evolution, [candidate], {name: outcome}, {name: 0})
        if len(rows) == session.params.select.population:
            yield rows
            rows = []


def score_generation(
    evolution: Evolution, candidates: Sequence[Candidate], progress: SearchProgress
) -> tuple[dict[str, Outcome], Mapping[str, int]]:
    """Return each candidate's outcome, and the rung of a race that it reached."""
    race = evolution.race(candidates)
    if race is not None:
        return run_race(evolution.session, candidates, race, SPLIT, progress), race.rungs()
    outcomes = score_candidates(evolution, candidates, progress)
    return outcomes, dict.fromkeys(outcomes, 0)


def score_candidates(
    evolution: Evolution, candidates: Sequence[Candidate], progress: SearchProgress
) -> dict[str, Outcome]:
    """Return each candidate's outcome on the search split, or the estimate of it."""
    estimator = evolution.estimator

    def note(outcome: Outcome, count: int) -> None:
        progress.best(evolution.fitness(estimated(estimator, outcome)))
        progress.advance(count)

    recipes = {c.name: c.recipe for c in candidates}
    outcomes = evaluate_all(evolution.session, recipes, SPLIT, note, evolution.items)
    return {name: estimated(estimator, outcome) for name, outcome in outcomes.items()}


def score_centre(evolution: Evolution, progress: SearchProgress) -> None:
    """Record the centre of the search, which is less lucky than the best candidate."""
    candidate = evolution.centre()
    if candidate is not None:
        evolution.record([candidate], score_candidates(evolution, [candidate], progress))
