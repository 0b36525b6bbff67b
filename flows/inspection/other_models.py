"""What a name means in a run that is not a candidate's: its base, a parent, a baseline."""

from collections.abc import Sequence
from pathlib import Path

from stages.download.manifest import BASE, PARENTS
from stages.lineage.rows import Row
from stages.lineage.selection import Selection, TestedModel


def other_model(
    word: str, rows: Sequence[Row], selection: Selection | None, folder: Path
) -> str | None:
    """Return what ``word`` is, and how to read about it; None where the run has no such model."""
    entries = selection.entries if selection is not None else ()
    entry = next((one for one in entries if one.name == word), None)
    is_parent = any(word in row.parents for row in rows)
    if not is_parent and word != BASE and entry is None:
        return None
    kind = "the base" if word == BASE else "a parent" if is_parent else _kind(entry)
    model_path = PARENTS / word
    inputs = word == BASE or is_parent
    where = f", in {model_path}" if inputs and (folder / model_path).is_dir() else ""
    score = f" {_score(entry, selection)}" if entry is not None and selection is not None else ""
    again = f" `germline evaluate {model_path}` scores it." if where else ""
    return f"it is {kind} of this run{where}, not a candidate.{score}{again}"


def _kind(entry: TestedModel | None) -> str:
    return "a model" if entry is None else f"a model to compare with ({entry.kind})"


def _score(entry: TestedModel, selection: Selection) -> str:
    scores = ", ".join(f"{task.task} {task.score:.4f}" for task in entry.evaluation.tasks)
    fitness = entry.evaluation.fitness(selection.task_weights)
    return f"On the test items its fitness is {fitness:.4f} ({scores})."
