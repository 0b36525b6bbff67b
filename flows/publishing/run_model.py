"""Which model of a run a word means: a candidate, the champion, a parent or a baseline."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flows.inspection.project_folder import SELECTION
from flows.inspection.stored_lineage import same_search
from stages.errors import LineageError, at
from stages.lineage.queries import row_named
from stages.lineage.rows import LINEAGE, Row, read_rows
from stages.lineage.selection import Selection, TestedModel
from stages.recipe.recipe import Recipe
from stages.select.final.half_searches import HALVES

CHAMPION = "champion"

Scores = Mapping[str, Mapping[str, Mapping[str, Any]]]  # by split and task, as rows hold them


@dataclass(frozen=True, slots=True)
class RunModel:
    """A model of the run; ``weights_hash`` is that of the weights which were scored.

    ``fitness`` is (value, standard error) by split, as far as it was scored there.
    """

    name: str
    kind: str  # candidate, champion, or a kind of the selection's entries
    recipe: Recipe
    weights_hash: str
    scores: Scores


def run_model(word: str) -> RunModel:
    """Return the model of the run in the working directory that ``word`` means.

    That is ``champion``, the name of a candidate or the start of its id or weights hash, or the
    name of a parent or baseline of the selection. A candidate of a search in one half of the space
    is called ``layers g00-c03``.

    Raises:
        LineageError: it means none, or one that has no weights; or the selection is another run's
            or another search's than data/lineage, or either is damaged.
    """
    searched = read_rows(_LINEAGE)
    selection = Selection.read(_SELECTION) if _SELECTION.is_file() else None
    if word == CHAMPION and selection is None:
        raise LineageError(
            f"model {word}: there is no {_SELECTION}, so no champion was chosen yet. Run "
            "`dvc repro` or `dvc pull`, or name a candidate."
        )
    name = selection.champion if selection is not None and word == CHAMPION else word
    source = _LINEAGE if selection is None else _SELECTION.with_name("genomes.jsonl")
    scored = searched if selection is None else read_rows(source)
    if selection is not None:
        selection.check_rows({row.name: row.id for row in scored}, SELECTION)
        _check_search(searched, scored)
    entries = [] if selection is None else [e for e in selection.entries if e.kind != CHAMPION]
    for entry in entries:
        if entry.name == name:
            return _of_entry(entry)
    rows = [*scored, *_rows_of_halves()]
    with at(f"model {word}"):
        if "/" in word:
            raise LineageError(
                "no such folder, and no model of a run has a slash in its name. Give a folder "
                "that is there, or the name of a model of the run."
            )
        where = source if len(rows) == len(scored) else SELECTION  # the halves have files there
        row = row_named(rows, name, where, [CHAMPION, *(entry.name for entry in entries)])
        if row.weights_hash is None:
            raise LineageError(
                f"{row.name} was never merged, so it has no weights: {row.error} Name another "
                "candidate."
            )
    is_champion = selection is not None and row.name == selection.champion
    kind = CHAMPION if is_champion else "candidate"
    return RunModel(row.name, kind, row.recipe, row.weights_hash, row.scores)


_SELECTION = SELECTION / "selection.json"
_LINEAGE = LINEAGE / "genomes.jsonl"


def _check_search(searched: Sequence[Row], scored: Sequence[Row]) -> None:
    """Refuse rows of which one name may mean two recipes.

    Raises:
        LineageError: the champion was chosen from the candidates of another search.
    """
    if not same_search(searched, scored):
        raise LineageError(
            f"{SELECTION} is of another search than {LINEAGE}: their candidates differ. Run "
            "`dvc repro`, which chooses the champion of this one, or restore both with "
            "`dvc checkout`."
        )


def _rows_of_halves() -> Iterator[Row]:
    """Yield the rows of the searches in one half of the space, as ``layers g00-c03``."""
    for half in HALVES:
        path = SELECTION / half / "genomes.jsonl"
        for row in read_rows(path) if path.is_file() else ():
            yield replace(row, name=f"{half} {row.name}")


def _of_entry(entry: TestedModel) -> RunModel:
    if entry.weights_hash is None or entry.recipe is None:
        raise LineageError(
            f"model {entry.name}: a {entry.kind}, which another engine answers for; germline has "
            "no weights of it. Name a candidate, the champion, a parent or a baseline."
        )
    tasks = {
        score.task: {k: v for k, v in score.to_dict().items() if k != "task"}
        for score in entry.evaluation.tasks
    }
    recipe = Recipe.from_dict(entry.recipe)
    scores = {entry.evaluation.split: tasks}
    return RunModel(entry.name, entry.kind, recipe, entry.weights_hash, scores)
