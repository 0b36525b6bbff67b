"""The select flow: scores the shortlist on the validation split, the champion on the test split.

The test split is read here and nowhere else, once for each of the champion, the base, the parents,
the fixed and the tuned baselines and the references. Tuned baselines meet the search and the
validation items before, as candidates do.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from flows.pipeline.final.tuning import num_evaluations, recipes_to_try, tune
from flows.pipeline.origins import record_origins
from flows.pipeline.preflight import specs
from flows.pipeline.session import (
    Session,
    conduct,
    evaluate_all,
    fresh,
    merge,
    open_session,
    write_records,
)
from flows.prefect_runtime.console import SearchProgress, say
from stages.errors import EvaluationError, LineageError
from stages.evaluate.backends.model_strings import identity
from stages.evaluate.tasks.public_benchmarks import cautions
from stages.lineage.evaluation import Evaluation
from stages.lineage.outcome import Outcome
from stages.lineage.paired_tests import corrected_best
from stages.lineage.records.ending import Ending
from stages.lineage.rows import LINEAGE, Row, read_rows, write_rows
from stages.lineage.selection import Selection, TestedModel
from stages.params.load import Params, load_params
from stages.recipe.recipe import Recipe
from stages.report.story import story_of
from stages.select.final.baselines import FixedModel, references
from stages.select.final.shortlist import champion, shortlist
from stages.select.final.shortlist_p_values import against

SELECTION = Path("data/selection")
CHAMPION = Path("data/champion")


@flow(name="select", flow_run_name="select, seed {params.select.seed}", validate_parameters=False)
def select(params: Params) -> None:
    """Choose the champion of the lineage, measure it, and write its model and the selection."""
    rows = read_rows(LINEAGE / "genomes.jsonl")
    listed = shortlist(rows, params.select)
    if not listed:
        raise LineageError(
            f"{LINEAGE / 'genomes.jsonl'}: {len(rows)} candidates, but none that may be listed "
            "was scored. Read their errors there, fix the cause, and run again."
        )
    with open_session(params, SELECTION / "store.jsonl") as session:
        weights = session.suite.weights
        merging = session.params.merge
        fixed = references(
            base=session.parents.base,
            parents=session.parents.models,
            merge=merging,
            specs=specs(params),
        )
        tried = recipes_to_try(session)
        total = len(listed) + len(fixed) + 1 + num_evaluations(session, tried) + len(tried)
        with SearchProgress(total, "select") as progress:
            validation = _validate(session, listed, progress)
            winner = champion(listed, validation, weights)
            tuned = tune(session, tried, progress.advance)
            entries = (*_test(session, winner, (*fixed, *tuned), progress), *_ask(session))
        shortlisted = against(winner, listed, validation, weights)
        corrected = corrected_best([e for e in validation.values() if e is not None], weights)
        ending = Ending.read(LINEAGE)
        selection = Selection(
            champion=winner.name,
            task_weights=weights,
            shortlist=shortlisted,
            entries=entries,
            corrected_validation=corrected,
            cautions=cautions(session.suite),
            ending=None if ending is None else str(ending),
        )
        merge(session, winner.recipe, CHAMPION, str(selection.winner.weights_hash))
        scored = [*validation.items(), (winner.name, selection.winner.evaluation)]
        rows = _with_scores(rows, scored)
        write_rows(fresh(SELECTION) / "genomes.jsonl", rows)
        selection.write(SELECTION / "selection.json")
        write_records(session, SELECTION)
        record_origins(session.cache, "select")
    _show(rows, selection, params)


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
    session: Session, listed: Sequence[Row], progress: SearchProgress
) -> Mapping[str, Evaluation | None]:
    recipes = {row.name: row.recipe for row in listed}
    outcomes = _outcomes(session, recipes, "validation", progress)
    return {name: outcome.evaluation for name, outcome in outcomes.items()}


def _test(
    session: Session, winner: Row, fixed: Sequence[FixedModel], progress: SearchProgress
) -> tuple[TestedModel, ...]:
    recipes = {winner.name: winner.recipe, **{ref.name: ref.recipe for ref in fixed}}
    kinds = {winner.name: "champion", **{ref.name: ref.kind for ref in fixed}}
    tried = {ref.name: ref.num_evaluations for ref in fixed}
    entries = []
    for name, outcome in _outcomes(session, recipes, "test", progress).items():
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


def _ask(session: Session) -> Iterator[TestedModel]:
    """Yield the references; last, so that one that cannot be scored costs no other its scores."""
    for name, model in session.params.evaluate.references.items():
        asked = session.reference.with_options(task_run_name=f"{name} test")
        yield TestedModel(name, "reference", identity(model), None, asked(name, "test"))


def _outcomes(
    session: Session, recipes: Mapping[str, Recipe], split: str, progress: SearchProgress
) -> dict[str, Outcome]:
    return evaluate_all(session, recipes, split, lambda _, count: progress.advance(count))


def _show(rows: Sequence[Row], selection: Selection, params: Params) -> None:
    lead = story_of(
        rows,
        selection,
        confidence=params.report.confidence,
        is_raced=bool(params.select.racing.rungs),
        seed=params.select.seed,
    ).headline
    say(lead)
    create_markdown_artifact(lead, key="champion")
    name = f"select, seed {params.select.seed}, champion {selection.winner.name}"
    with get_client(sync_client=True) as client:
        client.set_flow_run_name(UUID(flow_run.id), name)


def run() -> None:
    """Check params.yaml, then choose with as many threads as there are workers."""
    params = load_params()
    num_listed = params.select.shortlist
    listed = f"{num_listed} candidates" if num_listed else "the search's mean"
    say(f"select: {listed} on validation items, one on test items")
    conduct(select, params)
