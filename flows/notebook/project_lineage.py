"""``germline.load_lineage``: the candidates of a run, their scores, and who descends from whom."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.inspection.project_folder import project_folder
from flows.inspection.rows.family_tree import family_of
from flows.inspection.stored_lineage import SELECTION, StoredLineage, read_lineage
from stages.errors import PATH, LineageError, check_types
from stages.json_text import read_json
from stages.lineage.evaluation import Evaluation
from stages.lineage.outcome import Outcome
from stages.lineage.queries import content_of
from stages.lineage.rows import LINEAGE, Row
from stages.lineage.selection import Selection
from stages.recipe.html_table import html_table

if TYPE_CHECKING:
    import pandas as pd

ROWS, CHOICE, ITEMS = "genomes.jsonl", "selection.json", "items"
ITEM_COLUMNS = ("name", "kind", "split", "task", "item", "score")
_MOST_SHOWN = 10
_WORD = "the name of a candidate, or how its recipe id or weights hash begins"


@dataclass(frozen=True, slots=True, repr=False)
class Lineage:
    """A run's candidates, as ``stored`` on disk; ``score_folders`` hold the scores of items."""

    stored: StoredLineage
    score_folders: tuple[Path, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The candidates, in ask order."""
        return self.stored.rows

    @property
    def selection(self) -> Selection | None:
        """The final choice, with what met the test split; None where there is none yet."""
        return self.stored.selection

    @property
    def champion(self) -> Row | None:
        """The candidate that was chosen at the end; None before that."""
        return None if self.selection is None else self.row(self.selection.champion)

    def row(self, word: str) -> Row:
        """Return the candidate of a name, or of how its recipe id or weights hash begins.

        Raises:
            LineageError: none or several are meant; the nearest names are said.
        """
        check_types(LineageError, {"word": (word, (str,), _WORD)})
        return self.stored.row(word)

    def ancestors(self, word: str) -> tuple[Row, ...]:
        """Return all candidates that one descends from, the nearest first, each once.

        Raises:
            LineageError: as ``row``.
        """
        relatives = deque(family_of(self.stored, self.row(word)).ancestors)
        rows: dict[str, Row] = {}
        while relatives:
            relative = relatives.popleft()
            relatives.extend(relative.ancestors)
            if relative.row is not None:
                rows.setdefault(relative.name, relative.row)
        return tuple(rows.values())

    def frame(self) -> "pd.DataFrame":
        """Return the candidates as a table, one row each: genes, parents, scores, recipe."""
        from stages.lineage.table import frame

        return frame(self.rows)

    def item_scores(self) -> "pd.DataFrame":
        """Return every answer that was scored, one row each.

        ``kind`` is ``candidate``, or what else met the test split: ``parent``, ``base``,
        ``baseline``, ``tuned``, ``reference``. A candidate of a race has answered some items only.

        Raises:
            LineageError: a document with scores is damaged.
        """
        import pandas as pd

        records = dict.fromkeys((*self._scored_candidates(), *self._tested_models()))
        return pd.DataFrame.from_records(list(records), columns=list(ITEM_COLUMNS))

    def _scored_candidates(self) -> Iterator[tuple[Any, ...]]:
        names: dict[str, list[str]] = {}
        for row in self.rows:
            names.setdefault(row.id, []).append(row.name)
        paths = [path for folder in self.score_folders for path in sorted(folder.glob("*.json"))]
        evaluations: dict[str, list[Evaluation]] = {}
        for recipe_id, outcome in map(_outcome, paths):
            if outcome is not None and outcome.evaluation is not None:
                evaluations.setdefault(recipe_id, []).append(outcome.evaluation)
        for recipe_id, sharing in names.items():
            for name, evaluation in product(sharing, evaluations.get(recipe_id, ())):
                yield from _records(name, "candidate", evaluation)

    def _tested_models(self) -> Iterator[tuple[Any, ...]]:
        for entry in self.selection.entries if self.selection else ():
            kind = "candidate" if entry.kind == "champion" else entry.kind
            yield from _records(entry.name, kind, entry.evaluation)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __repr__(self) -> str:
        champion = "no champion yet" if self.selection is None else self.selection.champion
        return f"Lineage({str(self.stored.source)!r}: {content_of(self.rows)}; {champion})"

    def _repr_html_(self) -> str:
        title = f"{self.stored.source}: {content_of(self.rows)}"
        if self.selection is not None:
            title += f"; champion {self.selection.champion}"
        best = sorted(self.rows, key=_by_fitness)[:_MOST_SHOWN]
        if len(best) < len(self.rows):
            title += f"; the {len(best)} fittest"
        columns = ("name", "fitness", "±", "method", "ancestors", "error")
        return html_table(title, columns, (_cells(row) for row in best))


def load_lineage(path: str | Path = ".") -> Lineage:
    """Return the lineage of a run.

    Args:
        path: a folder in the project, or its ``data/lineage`` (the search alone) or
            ``data/selection`` (with the scores on later splits and the champion). Of a project
            the selection is taken where it is of the lineage that is there.

    Raises:
        GermlineError: there is none, or it is damaged; the message says where.
    """
    check_types(LineageError, {"path": (path, PATH, "the path of a project or of a lineage")})
    path = Path(path)
    folder = path.parent if path.name == ROWS else path
    if not folder.is_dir():
        raise LineageError(
            f"{folder}: no such folder. Give the folder of a project, its data/lineage or its "
            "data/selection."
        )
    if (folder / ROWS).is_file():
        stored = read_lineage(folder)
        if (folder / CHOICE).is_file():
            stored = replace(stored, selection=_selection(folder / CHOICE, stored.rows))
        return Lineage(stored, (folder / ITEMS,))
    project = project_folder(folder)
    stored = read_lineage(project)
    folders = (LINEAGE,) if stored.selection is None else (LINEAGE, SELECTION)
    return Lineage(stored, tuple(project / one / ITEMS for one in folders))


def _selection(path: Path, rows: tuple[Row, ...]) -> Selection:
    selection = Selection.read(path)
    if selection.champion not in {row.name for row in rows}:
        raise LineageError(
            f"{path}: its champion {selection.champion} is not among the rows next to it. They "
            "are of two runs; restore both with `dvc checkout`."
        )
    return selection


def _outcome(path: Path) -> tuple[str, Outcome | None]:
    """Return whose outcome a document holds, and the outcome; None of what is not a candidate's.

    Raises:
        LineageError: it is damaged.
    """
    try:
        data = read_json(path)
        if "recipe" not in data:  # of a reference
            return "", None
        return str(data["recipe"]), Outcome.from_dict(data)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise LineageError(
            f"{path}: not scores of items ({error}). Restore it with `dvc checkout`, or remove "
            f"{path.parent.parent} and run `dvc repro`."
        ) from error


def _records(name: str, kind: str, evaluation: Evaluation) -> Iterator[tuple[Any, ...]]:
    for item in evaluation.items:
        yield name, kind, evaluation.split, item.task, item.item, item.score


def _by_fitness(row: Row) -> float:
    return -row.fitness if row.fitness is not None else float("inf")


def _cells(row: Row) -> tuple[object, ...]:
    ancestors = " ".join(row.ancestors)
    return row.name, row.fitness, row.fitness_stderr, row.recipe.method, ancestors, row.error
