"""Find an lm-eval task by name and build it once."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.errors import EvaluationError
from stages.evaluate.tasks.data_task import Shelf
from stages.files import inside_project
from stages.hashing import nearest

_LOCAL_FORMATS = ("arrow", "csv", "json", "pandas", "parquet", "text")


class Catalogue:
    """The tasks a name may mean: the project's own first, then those that come with lm-eval."""

    def __init__(self, include_path: str | None) -> None:
        from lm_eval.tasks import TaskManager

        self._folder = _own_folder(include_path) if include_path is not None else None
        own = [self._folder] if self._folder else None
        self._own = TaskManager(include_path=own, include_defaults=False)
        self.files = Shelf()

    def build(self, name: str) -> Any:
        """Return the lm-eval task called ``name``, its data loaded.

        Raises:
            EvaluationError: there is no such task, it is a group, or it cannot be built.
        """
        manager, spec = self._find(name)
        try:
            loaded = manager.load([spec])
        except Exception as error:
            raise EvaluationError(_why_not_built(name, error)) from error
        (task,) = loaded["tasks"].values()
        if getattr(task, "UNSAFE_CODE", False):
            raise EvaluationError(
                f"task {name}: runs code that the model writes. germline does not do that; "
                "choose another task."
            )
        if getattr(task, "MULTIMODAL", False):
            raise EvaluationError(
                f"task {name}: shows pictures or sound. germline evaluates text; choose another."
            )
        return task

    def _find(self, name: str) -> tuple[Any, str]:
        from lm_eval.tasks import TaskManager

        if name not in self._own.task_index:
            path = _built_in_file(name)
            if path is not None:
                return self._own, str(path)
        # The index of all built-in tasks takes seconds: it is read only to explain what is wrong.
        manager = self._own if name in self._own.task_index else TaskManager()
        entry = manager.task_index.get(name)
        if entry is None:
            raise EvaluationError(self._unknown(name, manager.all_subtasks))
        if entry.kind.name not in ("TASK", "PY_TASK"):
            members = _members(entry)
            raise EvaluationError(
                f"task {name}: is a group of tasks ({members}), and scores are kept task by task. "
                "List the tasks of it that you want under evaluate.tasks."
            )
        return manager, name

    def _unknown(self, name: str, built_in: list[str]) -> str:
        own = self._own.all_subtasks
        if self._folder is None:
            listed = "evaluate.include_path names no folder of your own tasks"
        else:
            listed = f"Your own, in {self._folder}: {', '.join(own) or 'none'}"
        broken = "".join(f" {fault}" for fault in _broken_files(self._folder))
        hint = nearest(name, own) or nearest(name, built_in)
        return (
            f"task {name}: no such task. {listed}; or one of the {len(built_in)} that "
            f"`lm-eval ls tasks` prints.{hint}{broken}"
        )


def _own_folder(include_path: str) -> Path:
    """Return the folder of own tasks, relative to the project; it may hold links, not lead out."""
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


def _built_in_file(name: str) -> Path | None:
    """Return the file of lm-eval's own task ``name`` without parsing the other ten thousand."""
    import lm_eval.tasks

    line = re.compile(rf"^task:\s*(['\"]?){re.escape(name)}\1\s*(#.*)?$".encode(), re.MULTILINE)
    folder = Path(lm_eval.tasks.__file__).parent
    found = [p for p in sorted(folder.rglob("*.yaml")) if line.search(p.read_bytes())]
    return found[0] if len(found) == 1 else None


def _broken_files(folder: Path | None) -> Iterator[str]:
    from lm_eval.tasks._yaml_loader import load_yaml

    for path in sorted(folder.rglob("*.yaml")) if folder else ():
        try:
            load_yaml(path, resolve_func=False)
        except Exception as error:  # noqa: BLE001  whatever lm-eval skips silently is named here
            yield f"{path} cannot be read: {_first_line(error)}."


def _members(entry: Any) -> str:
    listed = entry.tags or (entry.cfg or {}).get("task") or []
    names = sorted(
        str(m.get("task") or m.get("group")) if isinstance(m, dict) else str(m) for m in listed
    )
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _why_not_built(name: str, error: Exception) -> str:
    text = _first_line(error)
    if isinstance(error, FileNotFoundError) and "on the Hub" not in text:
        return (
            f"task {name}: its data are missing: {text}. Paths under dataset_kwargs in the task's "
            "file are relative to the project folder; put the file there or mend the path."
        )
    if isinstance(error, ConnectionError | FileNotFoundError) or "Hub" in text:
        return (
            f"task {name}: its data are on the Hugging Face hub and not in the local cache "
            f"({text}). Fetch them once with HF_HUB_OFFLINE=0 in the environment, or keep the "
            f"data in the project and load them with dataset_path: one of "
            f"{', '.join(_LOCAL_FORMATS)}."
        )
    return f"task {name}: cannot be built: {type(error).__name__}: {text}. Mend the task's file."


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
