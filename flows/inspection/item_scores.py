"""Every answer of a run that was scored, one row each."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.inspection.stored_lineage import StoredLineage
from stages.errors import LineageError
from stages.json_text import read_json
from stages.lineage.evaluation import Evaluation
from stages.lineage.outcome import Outcome

if TYPE_CHECKING:
    import pandas as pd

ITEM_COLUMNS = ("name", "kind", "split", "task", "item", "score")


def item_scores(lineage: StoredLineage) -> "pd.DataFrame":
    """Return a table of all scored answers of the candidates, and of what met the test split.

    ``kind`` is ``candidate``, or what else met the test split: ``parent``, ``base``,
    ``baseline``, ``tuned``, ``reference``. A candidate of a race has answered some items only.

    Raises:
        LineageError: a document with scores is damaged.
    """
    import pandas as pd

    records = dict.fromkeys((*_scored_candidates(lineage), *_tested_models(lineage)))
    return pd.DataFrame.from_records(list(records), columns=list(ITEM_COLUMNS))


def _scored_candidates(lineage: StoredLineage) -> Iterator[tuple[Any, ...]]:
    names: dict[str, list[str]] = {}
    for row in lineage.rows:
        names.setdefault(row.id, []).append(row.name)
    paths = [path for folder in lineage.item_folders for path in sorted(folder.glob("*.json"))]
    evaluations: dict[str, list[Evaluation]] = {}
    for recipe_id, outcome in map(_outcome, paths):
        if outcome is not None and outcome.evaluation is not None:
            evaluations.setdefault(recipe_id, []).append(outcome.evaluation)
    for recipe_id, sharing in names.items():
        for name, evaluation in product(sharing, evaluations.get(recipe_id, ())):
            yield from _records(name, "candidate", evaluation)


def _tested_models(lineage: StoredLineage) -> Iterator[tuple[Any, ...]]:
    for entry in lineage.selection.entries if lineage.selection else ():
        kind = "candidate" if entry.kind == "champion" else entry.kind
        yield from _records(entry.name, kind, entry.evaluation)
    if lineage.selection is None and lineage.tested and lineage.tested_row:
        yield from _records(lineage.tested_row.name, "candidate", lineage.tested.evaluation)


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
