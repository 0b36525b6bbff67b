"""The select flow: makes the final choice, and writes the champion's model and the selection."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from flows.pipeline.final.final_choice import choose, num_scored, shortlisted
from flows.pipeline.final.recorded_answers import models_asked, recorded_answers
from flows.pipeline.final.run_artifacts import show_artifacts
from flows.pipeline.origins import record_origins
from flows.pipeline.preflight import legal_params
from flows.pipeline.session import (
    Session,
    conduct,
    fresh,
    merge,
    open_session,
    write_records,
)
from flows.prefect_runtime.console import SearchProgress, counted, say
from stages.evaluate.backends.model_strings import identity
from stages.lineage.records.question_answers import ANSWERS
from stages.lineage.rows import LINEAGE, Row, read_rows, write_rows
from stages.lineage.selection import Selection, TestedModel
from stages.params.load import Params
from stages.report.story import story_of
from stages.select.final.half_searches import halves_asked

SELECTION = Path("data/selection")
CHAMPION = Path("data/champion")


@flow(name="select", flow_run_name="select, seed {params.select.seed}", validate_parameters=False)
def select(params: Params) -> None:
    """Choose the champion of the lineage, measure it, and write its model and the selection."""
    rows = read_rows(LINEAGE / "genomes.jsonl")
    listed = shortlisted(rows, params.select)
    with open_session(params, SELECTION / "store.jsonl") as session:
        with SearchProgress(num_scored(session, listed), "select") as progress:
            choice = choose(session, rows, lambda: _ask(session), progress.advance)
        selection = choice.selection
        asked = ", ".join(entry.name for entry in models_asked(session, selection))
        if asked:
            say(f"answers of {asked} to the test items, for the page")
        answers = recorded_answers(session, selection, session.cache.outcome)
        merge(session, choice.winner.recipe, CHAMPION, str(selection.winner.weights_hash))
        write_rows(fresh(SELECTION) / "genomes.jsonl", choice.rows)
        for half, searched in choice.halves.items():
            write_rows(SELECTION / half / "genomes.jsonl", searched)
        selection.write(SELECTION / "selection.json")
        answers.write(SELECTION / ANSWERS)
        write_records(session, SELECTION)
        record_origins(session.cache, "select")
    _show(choice.rows, selection, params)


def _ask(session: Session) -> Iterator[TestedModel]:
    """Yield what the references score."""
    for name, model in session.params.evaluate.references.items():
        asked = session.reference.with_options(task_run_name=f"{name} test")
        yield TestedModel(name, "reference", identity(model), None, asked(name, "test"))


def _show(rows: Sequence[Row], selection: Selection, params: Params) -> None:
    story = story_of(
        rows,
        selection,
        confidence=params.report.confidence,
        is_raced=bool(params.select.racing.rungs),
        seed=params.select.seed,
        halves=params.select.space.halves,
    )
    say(story.headline)
    for finding in story.findings:
        say(f"- {finding}")
    show_artifacts(story, params.report.title)
    name = f"select, seed {params.select.seed}, champion {selection.winner.name}"
    with get_client(sync_client=True) as client:
        client.set_flow_run_name(UUID(flow_run.id), name)


def run() -> None:
    """Check params.yaml, then choose with as many threads as there are workers."""
    params = legal_params()
    num_listed = params.select.shortlist
    listed = counted(num_listed, "candidate") if num_listed else "the search's mean"
    say(f"select: {listed} on validation items, one on test items")
    for half in halves_asked(params.select):
        say(f"select: a search in {half} alone, as a tuned baseline")
    conduct(select, params)
