"""Find an lm-eval task by name and build it once."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stages.errors import EvaluationError
from stages.evaluate.data_files.data_task import Shelf
from stages.evaluate.own_python.building_faults import first_line, why_not_built
from stages.evaluate.own_python.task_support import refuse_flagged, refuse_unsupported
from stages.evaluate.tasks import built_in_tasks
from stages.files import inside_project
from stages.hashing import nearest

TASK_FILES = (".yaml", ".yml")
_LISTED = 12  # names in a message


class Catalogue:
    """Finds tasks by name: the project's own first, then those that come with lm-eval."""

    def __init__(self, folder: Path | None) -> None:
        """``folder`` holds own tasks, in files of lm-eval's form."""
        from lm_eval.tasks import TaskManager

        self.folder = folder
        own = [self.folder] if self.folder else None
        self._own = TaskManager(include_path=own, include_defaults=False)
        self.files = Shelf()

    def build(self, name: str, *, is_scored_here: bool = False) -> Any:
        """Return the lm-eval task called ``name``, its data loaded.

        ``is_scored_here``: none of its own metrics is used.

        Raises:
            EvaluationError: the name is unknown or a group, or the task cannot be supported or
                built.
        """
        spec, file = self._find(name)
        if file is not None:  # before any of its Python runs, and before its data are fetched
            refuse_unsupported(name, file, is_scored_here=is_scored_here)
        try:
            loaded = self._own.load([spec])
        except Exception as error:
            raise EvaluationError(why_not_built(name, error)) from error
        (task,) = loaded["tasks"].values()
        refuse_flagged(name, task)
        return task

    def knows(self, name: str) -> bool:
        """Return whether there is a task, a group or a tag called ``name``."""
        return name in self._own.task_index or name in built_in_tasks.names()

    def group_config(self, name: str) -> dict[str, Any] | None:
        """Return lm-eval's config of the group ``name``; None where it is not a group."""
        from lm_eval.tasks._yaml_loader import load_yaml

        entry = self._own.task_index.get(name)
        if entry is not None:
            return dict(entry.cfg or {}) if entry.kind.name == "GROUP" else None
        file = built_in_tasks.group_file(name)
        return None if file is None else dict(load_yaml(file, resolve_func=False))

    def tagged(self, name: str) -> list[str]:
        """Return the tasks that have the tag ``name``, sorted; none where it is not a tag."""
        entry = self._own.task_index.get(name)
        if entry is None:
            return built_in_tasks.tagged(name)
        return sorted(entry.tags) if entry.kind.name == "TAG" else []

    def _find(self, name: str) -> tuple[str, Path | None]:
        """Return the name for lm-eval, and the task's file."""
        is_file = Path(name).suffix in TASK_FILES
        if is_file and "group" not in file_config(name):
            return name, Path(name)
        entry = self._own.task_index.get(name)
        if entry is not None and entry.kind.name in ("TASK", "PY_TASK"):
            return name, entry.yaml_path
        path = built_in_tasks.task_file(name) if entry is None else None
        if path is not None:
            return str(path), path
        if not is_file and not self.knows(name):
            raise EvaluationError(self._unknown(name))
        from stages.evaluate.groups.task_group import tasks_of  # it asks this catalogue

        members = ", ".join(f"{{task: {member}}}" for member in tasks_of(name, self))
        raise EvaluationError(
            f"task {name}: is a group of tasks, and a search keeps scores task by task. List "
            f"those tasks of it that you want under evaluate.tasks: {members}. `germline evaluate "
            "--tasks` takes the group itself."
        )

    def _unknown(self, name: str) -> str:
        own, others = self._own.all_subtasks, built_in_tasks.task_names()
        broken = dict(_broken_files(self.folder))
        meant = next((path for path in broken if _names(path, name)), None)
        if meant is not None:
            return f"task {name}: its file {meant} cannot be read: {broken[meant]}. Fix the file."
        if self.folder is None:
            listed = "No folder of your own tasks is given (evaluate.include_path, --include-path)"
        else:
            listed = f"Your own, in {self.folder}: {_some(own) or 'none'}"
        faults = "".join(f" {path} cannot be read: {fault}." for path, fault in broken.items())
        hint = nearest(name, own) or nearest(name, others)
        return (
            f"task {name}: no such task. {listed}; or one of the {len(others)} that "
            f"`lm-eval ls tasks` prints.{hint}{faults}"
        )


def file_config(name: str) -> dict[str, Any]:
    """Return what the file ``name`` of a task or a group says, its includes read.

    It is empty where that cannot be read: lm-eval says why when it builds the task.

    Raises:
        EvaluationError: there is no such file.
    """
    from lm_eval.tasks._yaml_loader import load_yaml

    if not Path(name).is_file():
        raise EvaluationError(f"task {name}: no such file.{_near(Path(name))} Fix the path.")
    try:
        return dict(load_yaml(name, resolve_func=False))
    except Exception:  # noqa: BLE001  whatever lm-eval or YAML raises
        return {}


def own_folder(include_path: str | None) -> Path | None:
    """Return the folder of own tasks, relative to the project; links in it are legal.

    Raises:
        EvaluationError: it leads out of the project, or is not a folder.
    """
    if include_path is None:
        return None
    folder = inside_project(include_path)
    if folder is None:
        raise EvaluationError(
            f"evaluate.include_path: {include_path!r} leads out of the project folder. Give a "
            "folder inside it, relative to params.yaml; copy the tasks there."
        )
    if not folder.is_dir():
        raise EvaluationError(
            f"evaluate.include_path: {include_path!r} is not a folder. Give a folder of lm-eval "
            "task files (*.yaml), relative to params.yaml."
        )
    return folder


def _near(path: Path) -> str:
    there = path.parent.iterdir() if path.parent.is_dir() else ()
    return nearest(path.name, sorted(p.name for p in there if p.suffix in TASK_FILES))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")


def _names(file: Path, task: str) -> bool:
    """Return whether a file that cannot be read as YAML is that of ``task``."""
    text = file.read_text(encoding="utf-8", errors="replace")
    line = rf"""^\s*["']?task["']?:\s*["']?{re.escape(task)}["']?,?\s*$"""
    return re.search(line, text, re.MULTILINE) is not None


def _broken_files(folder: Path | None) -> Iterator[tuple[Path, str]]:
    from lm_eval.tasks._yaml_loader import load_yaml

    for path in sorted(folder.rglob("*.yaml")) if folder else ():
        try:
            load_yaml(path, resolve_func=False)
        except Exception as error:  # noqa: BLE001  whatever lm-eval skips silently is named here
            yield path, first_line(error)
