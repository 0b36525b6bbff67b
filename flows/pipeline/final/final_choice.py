"""The final choice: the shortlist on the validation split, the champion on the test split.

The test split is read here and nowhere else, once for each of the champion, the base, the parents,
the fixed and the tuned baselines and the references. Tuned baselines meet the search and the
validation items before, as candidates do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from flows.pipeline.final.half_search import HalfSearch, half_searches, num_candidates
from flows.pipeline.final.tuning import num_evaluations, recipes_to_try, tune
from flows.pipeline.search.search_checks import specs
from flows.pipeline.session import SearchSession, evaluate_all
from stages.errors import EvaluationError, LineageError, at
from stages.evaluate.tasks.public_benchmarks import cautions
from stages.lineage.evaluation import Evaluation
from stages.lineage.outcome import Outcome
from stages.lineage.paired_tests import corrected_best
from stages.lineage.records.ending import Ending
from stages.lineage.rows import LINEAGE, Row
from stages.lineage.selection import Selection, TestedModel
from stages.params.select_params import SelectParams
from stages.recipe.recipe import Recipe
from stages.select.final.baselines import FixedModel, references
from stages.select.final.half_searches import halves_asked
from stages.select.final.shortlist import champion, shortlist
from stages.select.final.shortlist_p_values import against

Ask = Callable[[], Iterable[TestedModel]]
Advance = Callable[[int], None]
_ROWS = LINEAGE / "genomes.jsonl"


@dataclass(frozen=True, slots=True)
class FinalChoice:
    """The selection, the row that won, and the lineage with the scores of later splits.

    ``halves`` are the lineages of the searches in one half of the space, by its name.
    """

    selection: Selection
    winner: Row
    rows: tuple[Row, ...]
    halves: Mapping[str, tuple[Row, ...]]


def shortlisted(rows: Sequence[Row], params: SelectParams, source: str = str(_ROWS)) -> list[Row]:
    """Return the shortlist of a lineage; ``source`` says where its rows are.

    Raises:
        LineageError: no candidate that may be listed was scored.
    """
    listed = shortlist(rows, params)
    if not listed:
        raise LineageError(
            f"{source}: {len(rows)} candidates, but none that may be listed "
            "was scored. Read their errors there, fix the cause, and run again."
        )
    return listed


def num_scored(session: SearchSession, listed: Sequence[Row]) -> int:
    """Return how many evaluations ``choose`` asks for, references aside."""
    tried = recipes_to_try(session)
    fixed = _fixed(session)
    halves = halves_asked(session.params.select)
    shortlists = len(halves) * (session.params.select.shortlist + 1)  # and the mean
    searched = num_candidates(session) + shortlists
    tested = 1 + len(fixed) + len(tried) + len(halves)
    return len(listed) + num_evaluations(session, tried) + searched + tested


def choose(
    session: SearchSession, rows: Sequence[Row], ask: Ask, advance: Advance = lambda _: None
) -> FinalChoice:
    """Choose the champion of the lineage ``rows`` and measure it; ``ask`` gives the references.

    References come last, so that one that cannot be scored costs no other model its scores.

    Raises:
        GermlineError: a model of the comparison cannot be scored.
    """
    listed = shortlisted(rows, session.params.select)
    weights = session.suite.weights
    validation = _validate(session, listed, advance)
    winner = champion(listed, validation, weights)
    tuned = tune(session, recipes_to_try(session), advance)
    searches = half_searches(session, advance)
    halves = [_best_of_half(search, advance) for search in searches]
    models = (*_fixed(session), *tuned, *(model for model, _ in halves))
    entries = (*_test(session, winner, models, advance), *ask())
    ending = Ending.read(LINEAGE)
    selection = Selection(
        champion=winner.name,
        task_weights=weights,
        shortlist=against(winner, listed, validation, weights),
        entries=entries,
        corrected_validation=corrected_best([e for e in validation.values() if e], weights),
        cautions=cautions(session.suite),
        ending=None if ending is None else str(ending),
    )
    scored = [*validation.items(), (winner.name, selection.winner.evaluation)]
    return FinalChoice(
        selection,
        winner,
        tuple(_with_scores(rows, scored)),
        {search.half: rows for search, (_, rows) in zip(searches, halves, strict=True)},
    )


def _best_of_half(search: HalfSearch, advance: Advance) -> tuple[FixedModel, tuple[Row, ...]]:
    """Return the champion of a search in one half, chosen as the run's own, and its lineage."""
    session = search.session
    with at(f"tuned baseline {search.half}"):
        listed = shortlisted(search.rows, session.params.select, "its search")
        validation = _validate(session, listed, advance)
        winner = champion(listed, validation, session.suite.weights)
    num_recipes = len({row.id for row in search.rows})
    model = FixedModel(search.half, "tuned", winner.recipe, num_recipes)
    return model, tuple(_with_scores(search.rows, list(validation.items())))


def _fixed(session: SearchSession) -> tuple[FixedModel, ...]:
    return references(
        base=session.parents.base,
        parents=session.parents.models,
        merge=session.params.merge,
        specs=specs(session.params),
    )


def _with_scores(
    rows: Sequence[Row], scored: Sequence[tuple[str, Evaluation | None]]
) -> list[Row]:
    """Return the lineage with the shortlist's and the champion's scores on later splits."""
    named = {row.name: row for row in rows}
    for name, evaluation in scored:
        if evaluation is not None:
            named[name] = named[name].also(evaluation)
    return list(named.values())


def _validate(
    session: SearchSession, listed: Sequence[Row], advance: Advance
) -> Mapping[str, Evaluation | None]:
    recipes = {row.name: row.recipe for row in listed}
    outcomes = _outcomes(session, recipes, "validation", advance)
    return {name: outcome.evaluation for name, outcome in outcomes.items()}


def _test(
    session: SearchSession, winner: Row, fixed: Sequence[FixedModel], advance: Advance
) -> tuple[TestedModel, ...]:
    recipes = {winner.name: winner.recipe, **{ref.name: ref.recipe for ref in fixed}}
    kinds = {winner.name: "champion", **{ref.name: ref.kind for ref in fixed}}
    tried = {ref.name: ref.num_evaluations for ref in fixed}
    entries = []
    for name, outcome in _outcomes(session, recipes, "test", advance).items():
        if outcome.evaluation is None or outcome.weights_hash is None:
            raise EvaluationError(
                f"{kinds[name]} {name} on the test split: {outcome.error} Every model of the "
                "comparison must be scored; fix the cause and run again."
            )
        recipe = recipes[name].to_dict()
        entries.append(
            TestedModel(
                name=name,
                kind=kinds[name],  # type: ignore[arg-type]
                recipe=recipe,
                weights_hash=outcome.weights_hash,
                evaluation=outcome.evaluation,
                num_evaluations=tried.get(name),
            )
        )
    return tuple(entries)


def _outcomes(
    session: SearchSession, recipes: Mapping[str, Recipe], split: str, advance: Advance
) -> dict[str, Outcome]:
    return evaluate_all(session, recipes, split, lambda _, count: advance(count))
