"""The evolve flow: download, merge, evaluate and select, generation after generation.

There is no checkpoint file. A rerun with the same params asks for the same genomes and finds their
evaluations in the store, up to the point where the last run ended.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from flows.inspection.row_scores import best_by_task
from flows.inspection.runs.journal import Journal
from flows.inspection.runs.page_so_far import PAGE_SO_FAR, PageSoFar
from flows.inspection.runs.run_log import JOURNAL
from flows.pipeline.origins import record_origins
from flows.pipeline.preflight import legal_params
from flows.pipeline.search.search_steps import generations, score_centre
from flows.pipeline.search_state import SPLIT, Evolution
from flows.pipeline.session import (
    Session,
    conduct,
    fresh,
    merge,
    open_session,
    write_json_lines,
    write_records,
)
from flows.prefect_runtime.console import SearchProgress, counted, say
from stages.download.manifest import PARENTS
from stages.errors import EvaluationError
from stages.evaluate.tasks.public_benchmarks import cautions
from stages.lineage.outcome import Outcome
from stages.lineage.rows import LINEAGE, SCAN, Row, equal_scores, finished, write_rows
from stages.params.load import Params
from stages.recipe.candidate import Candidate
from stages.select.final.shortlist import shortlist
from stages.select.space.scan import scanned
from stages.select.strategies.ask_schedule import is_steady, window_of

KEPT = Path("data/kept")


@task(name="select", cache_policy=NO_CACHE, persist_result=False)
def select(
    evolution: Evolution,
    candidates: Sequence[Candidate],
    outcomes: dict[str, Outcome],
    rungs: Mapping[str, int],
) -> list[Row]:
    """Tell the strategy results, of a generation or of one candidate; record them."""
    rows = evolution.record(candidates, outcomes)
    evolution.tell([evolution.result(c, outcomes[c.name], rungs[c.name]) for c in candidates])
    return rows


@flow(name="evolve", flow_run_name="evolve, seed {params.select.seed}", validate_parameters=False)
def evolve(params: Params) -> None:
    """Run the search of ``params``; write its lineage, its evaluations and the elite's weights."""
    with open_session(params, LINEAGE / "store.jsonl") as session:
        for caution in cautions(session.suite):
            say(f"warning: {caution}")
        evolution = Evolution(session)
        total = params.select.population * params.select.generations
        total = min(total, params.select.stop.candidates or total) + 1  # and the mean
        total += len(scanned(evolution.space, params.select.scan.budget))
        journal, page = Journal(JOURNAL), PageSoFar(params.select, params.report)
        leaders: dict[str, str] = {}
        with SearchProgress(total, "evolve") as progress:
            for rows in generations(evolution, select, progress):
                generation = rows[0].generation
                journal.add(rows)
                progress.generation(rows, session.cache.num_computed)
                page.write(evolution.rows)
                show(generation, rows, progress)
                leaders = say_rises(leaders, evolution.rows, progress)
                if generation == 0:
                    progress.say(f"page: {PAGE_SO_FAR}, written again after generations")
                    refuse_silence(rows)
                    parent = session.parents.models[0].name
                    for task, score in equal_scores(rows).items():
                        progress.say(_no_lead(task, score, parent))
            if evolution.ending is not None:
                progress.say(str(evolution.ending))
            score_centre(evolution, progress)
            page.write(evolution.rows, is_last=True)
        write_rows(fresh(LINEAGE) / "genomes.jsonl", evolution.rows)
        if evolution.ending is not None:
            evolution.ending.write(LINEAGE)
        write_records(session, LINEAGE)
        record_origins(session.cache, "evolve")
        keep_weights(session, evolution.rows)
        learned = params.evaluate.estimator.kind != "none"
        progress.say(
            f"{len(evolution.rows)} candidates, {session.cache.num_computed} evaluated now"
            + (", the parents and baselines that the estimator learned from too" * learned)
        )
        if params.select.racing.rungs:
            answered = sum(row.num_items for row in evolution.rows)
            whole = session.suite.num_items(SPLIT) * len(evolution.rows)
            progress.say(f"{answered} items answered; without racing it were {whole}")


def show(generation: int, rows: Sequence[Row], progress: SearchProgress) -> None:
    """Show a generation at the terminal and as a table on the Prefect page."""
    scored = [row.fitness for row in rows if row.fitness is not None]
    failed = len(rows) - len(scored)
    ends = [row.fitness for row in finished(rows) if row.fitness is not None]
    best = f"best {max(ends):.4f}, mean {sum(scored) / len(scored):.4f}" if ends else "no score"
    if len(ends) < len(scored):
        best += f", {len(scored) - len(ends)} stopped early"
    step = "scan" if generation == SCAN else f"generation {generation}"
    progress.say(f"{step}: {best}" + (f", {failed} failed" if failed else ""))
    for reason, name in _reasons(rows).items():
        progress.say(f"  {name} failed: {reason}")
    create_table_artifact(
        key="generation",
        table=[_rounded(row.brief()) for row in rows],
        description=f"{step.capitalize()}: {best}",
    )


def say_rises(
    before: Mapping[str, str], rows: Sequence[Row], progress: SearchProgress
) -> dict[str, str]:
    """Say in which of several tasks another candidate is best now; return its name by task.

    ``before`` is what was returned last.
    """
    best = best_by_task(rows)
    names = {task: row.name for task, row in best.items()}
    risen = [task for task, name in names.items() if before.get(task) != name]
    if len(best) > 1 and risen:
        scores = {task: best[task].scores[SPLIT][task]["score"] for task in risen}
        said = ", ".join(f"{task} {scores[task]:.4f} ({names[task]})" for task in risen)
        progress.say(f"  best so far in {said}")
    return names


def _rounded(brief: dict[str, Any]) -> dict[str, Any]:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in brief.items()}


def refuse_silence(rows: Sequence[Row]) -> None:
    """Check that a candidate of the first generation was scored: else nothing steers a search.

    Raises:
        EvaluationError: all of them failed; each reason is given once.
    """
    if all(row.fitness is None for row in rows):
        listed = "\n".join(f"{name}: {reason}" for reason, name in _reasons(rows).items())
        raise EvaluationError(
            f"generation 0: all {len(rows)} candidates failed. A search needs scores to go by; "
            f"fix what is wrong with the first, and run again.\n{listed}"
        )


def _no_lead(task: str, score: float, parent: str) -> str:
    return (
        f"warning: every candidate of generation 0 scores {score:g} in {task}, which so far "
        f"steers nothing. To read answers to its items: germline evaluate {PARENTS / parent} "
        f"--split {SPLIT} --samples answers.jsonl"
    )


def _reasons(rows: Sequence[Row]) -> dict[str, str]:
    """Return each reason for a failure, with the name of the first candidate that it befell."""
    reasons: dict[str, str] = {}
    for row in rows:
        if row.fitness is None:
            reasons.setdefault(str(row.error), row.name)
    return reasons


def keep_weights(session: Session, rows: Sequence[Row]) -> None:
    """Put the weights that merge.keep asks for into data/kept, one folder a recipe.

    ``kept.jsonl`` says which folder holds which candidate.
    """
    wanted = session.params.select
    fresh(KEPT)
    kept = {
        "none": [],
        "elite": shortlist(rows, wanted),
        "all": [row for row in rows if row.fitness is not None],
    }[session.params.merge.keep]
    index = []
    for recipe_id, row in {row.id: row for row in kept}.items():
        folder = recipe_id[:16]
        merge(session, row.recipe, KEPT / folder, str(row.weights_hash))
        index.append({"folder": folder, "name": row.name, "weights_hash": row.weights_hash})
    write_json_lines(KEPT / "kept.jsonl", index)


def _at_once(params: Params) -> str:
    """Say how many candidates are evaluated at a time: no more than are out."""
    workers, window = params.evaluate.workers, window_of(params.select)
    if workers <= window or not is_steady(params.select):
        return f"{min(workers, window)} at a time"
    return (
        f"{window} at a time, as no more are out: evaluate.workers is {workers}, the window "
        f"{window}"
    )


def run() -> None:
    """Check params.yaml, then evolve with as many threads as there are workers."""
    params = legal_params()
    say(
        f"evolve: {counted(params.select.generations, 'generation')} of "
        f"{params.select.population} candidates on {counted(len(params.evaluate.tasks), 'task')}, "
        f"{_at_once(params)}"
    )
    conduct(evolve, params)
