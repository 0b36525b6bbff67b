"""The lineage of a project as it lies on disk: rows, selection, and the items behind a score."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from flows.inspection.other_models import other_model
from flows.inspection.project_folder import SELECTION
from stages.errors import LineageError, at
from stages.files import text_in
from stages.json_text import json_in
from stages.lineage.evaluation import Evaluation
from stages.lineage.outcome import Outcome
from stages.lineage.queries import row_named
from stages.lineage.rows import LINEAGE, Row, read_rows
from stages.lineage.selection import Selection, TestedModel
from stages.params.space.space_params import Half
from stages.recipe.recipe import Recipe

CHAMPION_WORD = "champion"
ITEMS = "items"


@dataclass(frozen=True, slots=True)
class StoredLineage:
    """The rows of the project in ``folder``, with the scores of all splits that they have.

    ``source`` is the file of the rows. ``selection`` is None where no champion was chosen from
    these rows yet; ``task_weights`` are then those of the tasks, where they are known. ``tuned``
    is what met the test split of a search in one half of the space. ``item_folders`` hold the
    scores of items.
    """

    folder: Path
    source: Path
    rows: tuple[Row, ...]
    selection: Selection | None
    task_weights: Mapping[str, float] = field(default_factory=dict)
    tuned: TestedModel | None = None
    item_folders: tuple[Path, ...] = ()

    def row(self, word: str) -> Row:
        """Return the row that ``word`` means: a name, the start of an id, or ``champion``.

        Raises:
            LineageError: it means none, or several; of the name of a parent or of another model
                the message says what it is. Or its recipe is not that of its id.
        """
        if word == CHAMPION_WORD and self.selection is not None:
            word = self.selection.champion
        with at(f"candidate {word}"):
            if word == CHAMPION_WORD and self.selection is None:
                raise LineageError(
                    "no champion was chosen from these candidates yet. Run `dvc repro`, or name a "
                    "candidate; `germline lineage list` lists them."
                )
            if word not in {row.name for row in self.rows}:
                other = other_model(word, self.rows, self.selection, self.folder)
                if other is not None:
                    raise LineageError(f"{other} `germline lineage list` lists the candidates.")
            source = self.source.relative_to(self.folder)
            row = row_named(self.rows, word, source, [CHAMPION_WORD])
            if row.recipe.id != row.id:
                raise LineageError(
                    f"its recipe has the id {row.recipe.id[:16]}, its row in {self.source} says "
                    f"{row.id[:16]}: one of them was edited. Restore it with `dvc checkout`."
                )
            return row

    @property
    def weights(self) -> Mapping[str, float]:
        """The tasks' weights in the fitness where a selection says them, else nothing."""
        return self.task_weights if self.selection is None else self.selection.task_weights

    @property
    def tested(self) -> TestedModel | None:
        """The model of these rows that met the test split."""
        return self.tuned if self.selection is None else self.selection.winner

    @property
    def tested_row(self) -> Row | None:
        """The row of that model, with its scores on the test split."""
        if self.tested is None or self.tested.recipe is None:
            return None
        recipe_id = Recipe.from_dict(self.tested.recipe).id
        by_name = {row.name: row for row in self.rows if row.id == recipe_id}
        row = by_name.get(self.tested.name) or next(iter(by_name.values()), None)
        return None if row is None else row.also(self.tested.evaluation)

    @property
    def is_alone(self) -> bool:
        """True for a folder of rows without a project: item scores may be elsewhere."""
        return self.source.parent == self.folder

    def evaluation(self, row: Row, split: str) -> Evaluation:
        """Return the item scores behind the scores of ``row`` on ``split``.

        Raises:
            LineageError: they are not there, are damaged, or are those of other scores.
        """
        scores = row.scores.get(split, {})
        evaluations = [e for e in self._evaluations(row) if e.split == split]
        for evaluation in evaluations:
            if _is_of(evaluation, scores):
                return evaluation
        where = " and ".join(str(folder) for folder in self.item_folders)
        if evaluations:
            raise LineageError(
                f"candidate {row.name}: its {split} items in {where} give other scores than "
                f"{self.source}. They are of another run; restore both with `dvc checkout`."
            )
        raise LineageError(
            f"candidate {row.name}: its {split} items are not in {where}. They are missing, or "
            "those of another run are there; restore them with `dvc checkout`."
        )

    def _evaluations(self, row: Row) -> Iterator[Evaluation]:
        """Yield the evaluations on disk that are of the recipe of ``row``."""
        mark = f'"recipe":"{row.id}"'.encode()
        for folder in self.item_folders:
            for path in sorted(folder.glob("*.json")):
                data = path.read_bytes()
                if mark in data:
                    evaluation = _evaluation(path, data, row.id)
                    if evaluation is not None:
                        yield evaluation


def read_lineage(folder: Path = Path()) -> StoredLineage:
    """Return the lineage of the project in ``folder``, with its selection where that is of it.

    ``folder`` may also be a folder that holds ``genomes.jsonl`` itself, as data/lineage does; in
    data/selection that of a search in one half of the space.

    Raises:
        LineageError: there is no lineage, or a file of it is damaged.
    """
    if (folder / "genomes.jsonl").is_file():
        source, selected = folder / "genomes.jsonl", folder / "selection.json"
        if folder.name in get_args(Half) and (folder.parent / "selection.json").is_file():
            return _half(folder, folder)
        selection = Selection.read(selected) if selected.is_file() else None
        rows = read_rows(source)
        if selection is not None:
            selection.check_rows({row.name: row.id for row in rows}, folder)
        items = (folder / ITEMS,)
        return StoredLineage(folder, source, tuple(rows), selection, item_folders=items)
    items = (folder / LINEAGE / ITEMS,)
    source = folder / LINEAGE / "genomes.jsonl"
    rows = read_rows(source)
    later = folder / SELECTION / "genomes.jsonl"
    if not later.is_file() or not (later.parent / "selection.json").is_file():
        return StoredLineage(folder, source, tuple(rows), None, item_folders=items)
    scored = read_rows(later)
    if not same_search(rows, scored):  # select has yet to run again
        return StoredLineage(folder, source, tuple(rows), None, item_folders=items)
    selection = Selection.read(later.parent / "selection.json")
    selection.check_rows({row.name: row.id for row in scored}, later.parent)
    both = (*items, folder / SELECTION / ITEMS)
    return StoredLineage(folder, later, tuple(scored), selection, item_folders=both)


def read_half(folder: Path, half: Half) -> StoredLineage:
    """Return the lineage of the search in one half of the space, a tuned baseline of a run.

    Raises:
        LineageError: the run in ``folder`` has none, or a file of it is damaged.
    """
    source = folder / SELECTION / half / "genomes.jsonl"
    if not source.is_file():
        raise LineageError(
            f"{source}: no such file. The last run searched no {half} alone; set "
            f"select.tuned_baselines.{half} in params.yaml, and run `dvc repro`."
        )
    return _half(folder, source.parent)


def _half(folder: Path, rows_folder: Path) -> StoredLineage:
    """Return the lineage of a search in one half, which lies in a folder of the selection.

    What both searches evaluated, and the run's own first, is among the items of the run's.
    """
    selected = rows_folder.parent
    selection = Selection.read(selected / "selection.json")
    return StoredLineage(
        folder,
        rows_folder / "genomes.jsonl",
        tuple(read_rows(rows_folder / "genomes.jsonl")),
        None,
        selection.task_weights,
        next((one for one in selection.of_kind("tuned") if one.name == rows_folder.name), None),
        (selected / ITEMS, selected.parent / LINEAGE.name / ITEMS),
    )


def same_search(rows: Sequence[Row], scored: Sequence[Row]) -> bool:
    """Return whether the rows of a selection, which have more scores, are of that search."""
    one, other = (
        [(row.name, row.id, row.status, row.fitness) for row in side] for side in (rows, scored)
    )
    return one == other


def _evaluation(path: Path, data: bytes, recipe_id: str) -> Evaluation | None:
    """Return the evaluation in a file; None for one of another recipe, or of a failure."""
    try:
        document = json_in(text_in(data))
        outcome = Outcome.from_dict(document)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LineageError(
            f"{path}: not an evaluation ({error}). Restore it with `dvc checkout`."
        ) from error
    return outcome.evaluation if document.get("recipe") == recipe_id else None


def _is_of(evaluation: Evaluation, scores: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether the scores of a row follow from an evaluation."""
    if {task.task for task in evaluation.tasks} != set(scores):
        return False
    return all(
        task.num_items == scores[task.task]["num_items"]
        and ("estimator" in scores[task.task] or task.score == scores[task.task]["score"])
        for task in evaluation.tasks
    )
