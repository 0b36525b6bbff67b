"""``germline.load_lineage``: the candidates of a run, their scores, and who descends from whom."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flows.inspection.item_scores import item_scores
from flows.inspection.project_folder import project_folder
from flows.inspection.rows.family_tree import family_of
from flows.inspection.stored_lineage import StoredLineage, read_lineage
from stages.errors import PATH, LineageError, check_types
from stages.lineage.queries import content_of
from stages.lineage.rows import Row
from stages.lineage.selection import Selection
from stages.recipe.html_table import html_table

if TYPE_CHECKING:
    import pandas as pd

ROWS, CHOICE = "genomes.jsonl", "selection.json"
_MOST_SHOWN = 10
_WORD = "the name of a candidate, or how its recipe id or weights hash begins"


@dataclass(frozen=True, slots=True, repr=False)
class Lineage:
    """A run's candidates, as ``stored`` on disk."""

    stored: StoredLineage

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
        return item_scores(self.stored)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __repr__(self) -> str:
        choice = self.selection
        champion = "no champion yet" if choice is None else f"champion {choice.champion}"
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
        return Lineage(stored)
    return Lineage(read_lineage(project_folder(folder)))


def _selection(path: Path, rows: tuple[Row, ...]) -> Selection:
    selection = Selection.read(path)
    if selection.champion not in {row.name for row in rows}:
        raise LineageError(
            f"{path}: its champion {selection.champion} is not among the rows next to it. They "
            "are of two runs; restore both with `dvc checkout`."
        )
    return selection


def _by_fitness(row: Row) -> float:
    return -row.fitness if row.fitness is not None else float("inf")


def _cells(row: Row) -> tuple[object, ...]:
    ancestors = " ".join(row.ancestors)
    return row.name, row.fitness, row.fitness_stderr, row.recipe.method, ancestors, row.error
