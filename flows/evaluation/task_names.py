"""What ``--tasks`` names: tasks of params.yaml, lm-eval tasks, and files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from stages.errors import EvaluationError
from stages.evaluate.groups.task_group import TaskGroup, expanded
from stages.evaluate.quiet_lm_eval import sealed
from stages.evaluate.tasks.catalogue import TASK_FILES, Catalogue
from stages.files import inside_project
from stages.hashing import nearest
from stages.params.task_params import DATA_FORMATS, Name, is_data


def task_entry(name: str) -> dict[str, Any]:
    """Return the entry of ``evaluate.tasks`` for a name, a data file or a task's file.

    Raises:
        EvaluationError: a file is not there, or a data file is outside this folder.
    """
    if is_data(name):
        if inside_project(name) is None:
            raise EvaluationError(
                f"--tasks {name}: leads out of this folder. Copy the file into it, or change to a "
                "folder above the file."
            )
        _check_file(name, DATA_FORMATS)
        return {"data": name}
    if Path(name).suffix not in TASK_FILES:
        return {"task": name}
    _check_file(name, TASK_FILES)
    try:
        label = TypeAdapter(Name).validate_python(Path(name).stem)
    except ValidationError:
        return {"task": name}
    return {"task": name, "name": label}


def named_tasks(
    names: Sequence[str], labels: Sequence[str], folder: Path | None
) -> tuple[tuple[str, ...], tuple[TaskGroup, ...]]:
    """Return the tasks that the names stand for, in their place, and the groups among them.

    Names in ``labels`` are those of params.yaml's tasks; ``folder`` holds own tasks. A name like
    no label and no file is left to the catalogue.

    Raises:
        EvaluationError: one is a file of another kind, or no task but nearly a label, or its group
            cannot be scored task by task.
    """
    if all(name in labels or is_data(name) for name in names):
        return tuple(names), ()
    tasks: list[str] = []
    groups: list[TaskGroup] = []
    with sealed():
        catalogue = Catalogue(folder)
        for name in names:
            if name in labels or is_data(name):
                tasks.append(name)
                continue
            if Path(name).suffix in TASK_FILES:
                _check_file(name, TASK_FILES)
            elif not catalogue.knows(name):
                _check_unknown(name, labels)
            meant = expanded(name, catalogue)
            if isinstance(meant, TaskGroup):
                groups.append(meant)
                meant = meant.tasks
            tasks += meant
    return tuple(tasks), tuple(groups)


def _check_unknown(name: str, labels: Sequence[str]) -> None:
    """Say what may be meant by a name that is not a task's; the catalogue says the rest."""
    hint = nearest(name, list(labels))
    if Path(name).suffix or Path(name).is_file():
        raise EvaluationError(
            f"--tasks {name}: neither a task nor a file of tasks. A file of questions ends in "
            f"{', '.join(DATA_FORMATS)}; a task's file in {' or '.join(TASK_FILES)}.{hint}"
        )
    if hint:
        raise EvaluationError(
            f"--tasks {name}: no such task. Those of params.yaml: {', '.join(labels)}.{hint}"
        )


def _check_file(name: str, suffixes: Sequence[str]) -> None:
    path = Path(name)
    if path.is_file():
        return
    above = path.parent
    files = [p.name for p in above.iterdir() if p.suffix in suffixes] if above.is_dir() else []
    raise EvaluationError(
        f"--tasks {name}: no such file.{nearest(path.name, sorted(files))} Paths are relative to "
        "this folder."
    )
