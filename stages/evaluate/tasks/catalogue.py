"""Find an lm-eval task by name and build it once."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.errors import EvaluationError
from stages.evaluate.data_files.data_task import Shelf
from stages.evaluate.own_python.task_support import refuse_flagged, refuse_unsupported
from stages.evaluate.tasks import built_in_tasks
from stages.files import inside_project
from stages.hashing import nearest

TASK_FILES = (".yaml", ".yml")
# What the system refuses is not the fault of a task.
_REFUSED = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR),
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
}
_LOCAL_FORMATS = ("arrow", "csv", "json", "pandas", "parquet", "text")


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
            raise EvaluationError(_why_not_built(name, error)) from error
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
        listed = ", ".join(members[:5]) + (", ..." if len(members) > 5 else "")
        raise EvaluationError(
            f"task {name}: is a group of tasks ({listed}), and scores are kept task by task. "
            "Name those tasks of it that you want instead."
        )

    def _unknown(self, name: str) -> str:
        own, others = self._own.all_subtasks, built_in_tasks.task_names()
        if self.folder is None:
            listed = "No folder of your own tasks is given (include_path)"
        else:
            listed = f"Your own, in {self.folder}: {', '.join(own) or 'none'}"
        broken = "".join(f" {fault}" for fault in _broken_files(self.folder))
        hint = nearest(name, own) or nearest(name, others)
        return (
            f"task {name}: no such task. {listed}; or one of the {len(others)} that "
            f"`lm-eval ls tasks` prints.{hint}{broken}"
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


def _broken_files(folder: Path | None) -> Iterator[str]:
    from lm_eval.tasks._yaml_loader import load_yaml

    for path in sorted(folder.rglob("*.yaml")) if folder else ():
        try:
            load_yaml(path, resolve_func=False)
        except Exception as error:  # noqa: BLE001  whatever lm-eval skips silently is named here
            yield f"{path} cannot be read: {_first_line(error)}."


def _members(entry: Any) -> list[str]:
    listed = entry.tags or (entry.cfg or {}).get("task") or []
    return sorted(
        str(m.get("task") or m.get("group")) if isinstance(m, dict) else str(m) for m in listed
    )


def _why_not_built(name: str, error: Exception) -> str:
    refusal = next((e for e in _causes(error) if getattr(e, "errno", 0) in _REFUSED), None)
    if refusal is not None:
        return f"task {name}: its data cannot be read or cached: {_of_disk(refusal)}"
    text = _first_line(error)
    if isinstance(error, FileNotFoundError) and "on the Hub" not in text:
        return (
            f"task {name}: its data are missing: {text}. Paths under dataset_kwargs in the task's "
            "file are relative to the project folder; put the file there or fix the path."
        )
    if isinstance(error, ConnectionError | FileNotFoundError) or "Hub" in text:
        return (
            f"task {name}: its data are on the Hugging Face hub and not in the local cache "
            f"({text}). Fetch them once with HF_HUB_OFFLINE=0 in the environment, or keep the "
            f"data in the project and load them with dataset_path: one of "
            f"{', '.join(_LOCAL_FORMATS)}."
        )
    return f"task {name}: cannot be built: {type(error).__name__}: {text}. Fix the task's file."


def _causes(error: BaseException | None) -> Iterator[Any]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _of_disk(error: OSError) -> str:
    from datasets import config

    cache, file = Path(config.HF_DATASETS_CACHE), Path(error.filename or config.HF_DATASETS_CACHE)
    if cache.is_relative_to(file) or file.is_relative_to(cache):
        remedy = "Set HF_HOME to a folder with room in which you may write."
        return f"{cache}: {error.strerror}. {remedy}"
    return f"{file}: {error.strerror}. Give yourself the right to use it, or free some room."


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
