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

    def _find(self, name: str) -> tuple[str, Path | None]:
        """Return the name for lm-eval, and the task's file."""
        if Path(name).suffix in TASK_FILES:
            if not Path(name).is_file():
                raise EvaluationError(
                    f"task {name}: no such file.{_near(Path(name))} Fix the path."
                )
            return name, Path(name)
        entry = self._own.task_index.get(name)
        if entry is None:
            path = built_in_tasks.task_file(name)
            if path is not None:
                return str(path), path
            members = built_in_tasks.members(name)
            if not members:
                raise EvaluationError(self._unknown(name))
        elif entry.kind.name in ("TASK", "PY_TASK"):
            return name, entry.yaml_path
        else:
            members = _members(entry)
        raise EvaluationError(
            f"task {name}: is a group of tasks ({_some(members)}), and scores are kept task by "
            "task. Name those tasks of it that you want instead."
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


def _members(entry: Any) -> list[str]:
    listed = entry.tags or (entry.cfg or {}).get("task") or []
    return sorted(
        str(m.get("task") or m.get("group")) if isinstance(m, dict) else str(m) for m in listed
    )
