"""Choice: do the shortlist, the champion and all test figures follow from the evaluations?"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

from flows.audit.check_verdict import Difference, Verdict, differences_in
from flows.audit.folder_files import files_of_child
from flows.audit.recorded_run import RecordedRun
from flows.inspection.project_folder import SELECTION
from flows.pipeline.evolve import KEPT
from flows.pipeline.final.final_choice import FinalChoice, choose
from flows.pipeline.final.recorded_answers import recorded_answers
from flows.pipeline.select import CHAMPION
from stages.checkpoint.reader import Checkpoint
from stages.errors import GermlineError, LineageError
from stages.json_text import json_in
from stages.lineage.records.question_answers import ANSWERS, read_answers
from stages.lineage.rows import Row
from stages.recipe.recipe import Recipe

MOST = 8  # differences that are named


def check(run: RecordedRun) -> Verdict:
    """Make the final choice again from recorded evaluations; hash the weights that are kept."""
    recorded = run.selection
    choice = choose(run.session, run.rows, lambda: recorded.of_kind("reference"))
    differences = [*_selection(run, choice), *_answers(run), *_weights(run)]
    unchecked = []
    if recorded.of_kind("reference"):
        unchecked.append("references: another engine answered, and is not asked again")
    if len(differences) > MOST:
        unchecked.append(f"{len(differences) - MOST} more differences")
    return Verdict(
        "choice",
        f"shortlist of {len(recorded.shortlist)}, champion {recorded.champion}, "
        f"{len(recorded.entries)} models on the test split, p-values; weights and files of the "
        "champion and those kept",
        tuple(differences[:MOST]),
        tuple(unchecked),
    )


def _selection(run: RecordedRun, choice: FinalChoice) -> Iterator[Difference]:
    recorded, now = run.selection.to_dict(), choice.selection.to_dict()
    first = ("champion", "shortlist", "entries")
    for key in [*first, *(key for key in now if key not in first)]:
        yield from islice(differences_in(f"selection, {key}", recorded[key], now[key]), MOST)
    yield from _lineage("data/selection", run.later_rows, choice.rows)
    for half, rows in choice.halves.items():
        # Another check compares the libraries.
        known = {row.name: row.environment for row in run.half_rows[half]}
        same = [replace(row, environment=known.get(row.name, row.environment)) for row in rows]
        yield from _lineage(f"data/selection/{half}", run.half_rows[half], same)


def _lineage(folder: str, recorded: Sequence[Row], now: Sequence[Row]) -> Iterator[Difference]:
    """Yield where the rows of a folder are not those that the evaluations give."""
    later, names = {row.name: row for row in recorded}, {row.name for row in now}
    for row in now:
        mine, where = later.get(row.name), f"{folder}, {row.name}"
        if mine is None:
            yield Difference(where, "no row", "a row")
        elif mine != row:
            yield from islice(differences_in(where, mine.to_dict(), row.to_dict()), 1)
    for name in later:
        if name not in names:
            yield Difference(f"{folder}, {name}", "a row", "not proposed by the search")


def _answers(run: RecordedRun) -> Iterator[Difference]:
    """Yield where the answers that the page shows are not those of the documents."""
    path = SELECTION / ANSWERS
    if not path.exists() and not run.outcomes.answered:
        return  # of a version that kept none
    try:
        now = recorded_answers(run.session, run.selection, run.outcomes.answer)
    except LineageError as error:
        yield Difference(str(path), "answers of champion and parents", str(error))
        return
    recorded = read_answers(path).questions
    for key in dict.fromkeys([*recorded, *now.questions]):
        one, other = (asdict(q[key]) if key in q else None for q in (recorded, now.questions))
        yield from differences_in(f"{path}, task {key[0]}, item {key[1]}", one, other)


def _weights(run: RecordedRun) -> Iterator[Difference]:
    """Yield each kept model whose weights are not those that were scored."""
    winner = run.selection.winner
    recipe = Recipe.from_dict(winner.recipe or {})
    yield from _folder(run, CHAMPION, recipe, str(winner.weights_hash))
    path = KEPT / "kept.jsonl"
    try:
        lines = [json_in(line) for line in path.read_text(encoding="utf-8").splitlines()]
        kept = [(KEPT / line["folder"], line["name"], line["weights_hash"]) for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield Difference(str(path), "the models that were kept", str(error))
        return
    rows = {row.name: row for row in run.rows}
    for folder, name, weights_hash in kept:
        row = rows.get(name)
        if row is None or row.weights_hash != weights_hash:
            now = "no such candidate" if row is None else str(row.weights_hash)
            yield Difference(f"{path}, {name}", weights_hash, now)
            continue
        yield from _folder(run, folder, row.recipe, weights_hash)


def _folder(
    run: RecordedRun, folder: Path, recipe: Recipe, weights_hash: str
) -> Iterator[Difference]:
    """Yield where a folder has other weights than were scored, or other files than they need."""
    try:
        now = Checkpoint(folder).hash()
    except GermlineError as error:
        yield Difference(str(folder), f"weights {weights_hash}", str(error))
        return
    if now != weights_hash:
        yield Difference(f"{folder}, weights", weights_hash, now)
    try:
        yield from files_of_child(run.models.plan(recipe), folder, weights_hash)
    except GermlineError as error:  # of a parent, which another check names
        yield Difference(f"{folder}, files", "those that the recipe gives", str(error))
