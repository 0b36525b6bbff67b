"""Say why lm-eval could not build a task: what of its file or data is wrong, what to do."""

import errno
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Any

from stages.hashing import nearest

# What the system refuses is not the fault of a task.
_REFUSED = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR),
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE),
}
_FAILING_DISK = {errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ETIMEDOUT}
_SHORT = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE}  # of all that is read, too
_LOCAL_FORMATS = ("arrow", "csv", "json", "pandas", "parquet", "text")
_SPLITS = {
    "training_docs": "training_split",
    "validation_docs": "validation_split",
    "test_docs": "test_split",
    "fewshot_docs": "fewshot_split",
}
_RENDERED = ("doc_to_text", "doc_to_target", "doc_to_choice")


def why_not_built(name: str, error: Exception) -> str:
    """Return the message for a task whose building raised ``error``."""
    refusal = fault_of_disk(error)
    if refusal is not None:
        return f"task {name}: its data cannot be read or cached: {refusal}"
    missing = missing_module(error)
    if missing is not None:
        return f"task {name}: {missing}"
    text = first_line(error)
    if isinstance(error, FileNotFoundError) and "on the Hub" not in text:
        return f"task {name}: its data are missing: {text}. {_where_data_lie(text)}"
    frame = _lm_eval_frame(error)
    if isinstance(error, ConnectionError | FileNotFoundError) or "Hub" in text:
        path = getattr(frame.f_locals.get("self"), "DATASET_PATH", None) if frame else None
        return (
            f"task {name}: its data, {path}, are neither a folder here nor a data set of the "
            f"Hugging Face hub in the local cache ({text}). Fix dataset_path, fetch them once "
            "with HF_HUB_OFFLINE=0 in the environment, or keep them in the project and load them "
            f"with dataset_path: one of {', '.join(_LOCAL_FORMATS)}."
        )
    known = None if frame is None else _known_fault(frame, error)
    if known is not None:
        return f"task {name}: {known}"
    return f"task {name}: cannot be built: {type(error).__name__}: {text}. Fix the task's file."


def fault_of_disk(error: BaseException) -> str | None:
    """Return what the system refused, and what to do, where it caused ``error``; else None."""
    for one in _causes(error):
        if isinstance(one, OSError) and one.errno in _REFUSED | _FAILING_DISK:
            return _of_disk(one)
    return None


def missing_module(error: BaseException) -> str | None:
    """Return which module was not there to be imported, and what to do; None where none lacks."""
    missing = next((one for one in _causes(error) if isinstance(one, ImportError)), None)
    if missing is None:
        return None
    package = (missing.name or "").partition(".")[0]
    if not package:  # lm-eval's own words, which say what to install
        return f"its Python needs what is not installed: {first_line(missing)}."
    if package in sys.modules or find_spec(package) is not None:
        return (
            f"its Python needs what the installed {package} does not have: {first_line(missing)}. "
            f"Install another version of {package}, or choose another task."
        )
    return (
        f"its Python needs the module {missing.name}, which is not there. Install it where "
        "germline is installed, or put it next to the task's file."
    )


def is_machines(error: BaseException) -> bool:
    """Return whether the system's refusal that caused ``error`` would befall other tasks, too."""
    errors = (one for one in _causes(error) if isinstance(one, OSError))
    return any(one.errno in _FAILING_DISK | _SHORT for one in errors)


def first_line(error: BaseException) -> str:
    """Return the first line of what ``error`` says, else its kind."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".!") if lines else type(error).__name__


def _known_fault(frame: FrameType, error: Exception) -> str | None:
    """Return what is wrong, by the step of lm-eval that failed; None if it is not known."""
    step, variables = frame.f_code.co_name, frame.f_locals
    task = variables.get("self")
    if step in _SPLITS and isinstance(error, KeyError):
        legal, given = list(getattr(task, "dataset", None) or ()), error.args[0]
        return (
            f"{_SPLITS[step]}: its data have no split {given!r}. Legal: {', '.join(legal)}."
            f"{nearest(str(given), legal)}"
        )
    if step in _RENDERED:
        key = getattr(getattr(task, "config", None), step, None)
        if key is None:
            return f"has no {step}. Give it one in the task's file."
        what = f"{type(error).__name__}: {first_line(error)}"
        return f"{step} fails on its first document: {what}. Fix {step} in the task's file."
    if step == "download":
        return _fault_of_data(task, error)
    if step == "__init__":
        return _fault_of_documents(variables, error)
    return None


def _fault_of_data(task: Any, error: Exception) -> str | None:
    if getattr(task, "DATASET_PATH", None) is None:
        return "names no data. Set dataset_path in the task's file."
    if isinstance(error, StopIteration):
        return "its data cannot be read, as of an empty file. Put documents into it."
    *_, cause = _causes(error)
    return (
        f"its data cannot be read by dataset_path {task.DATASET_PATH}: {type(cause).__name__}: "
        f"{first_line(cause)}. Fix the files, dataset_path or dataset_kwargs."
    )


def _fault_of_documents(variables: Mapping[str, Any], error: Exception) -> str | None:
    """Return what lm-eval stumbled on when it looked at metrics, and at the first document."""
    if isinstance(error, KeyError) and variables.get("metric_agg", "") is None:
        return (
            f"metric {variables['metric_name']} is none of lm-eval's own. Give it aggregation "
            "and higher_is_better in the metric_list."
        )
    documents = getattr(variables["self"], "task_docs", None)
    if documents is not None and not hasattr(documents, "features"):
        kind = type(documents).__name__
        return f"process_docs gives a {kind}. Return a data set, as dataset.map and filter do."
    if documents is not None and not len(documents):
        return "it has no documents. Put some into its data, or let process_docs keep some."
    if variables.get("test_choice") is not None and "test_target" in variables:
        return _fault_of_choices(list(variables["test_choice"]), variables["test_target"], error)
    return None


def _fault_of_choices(choices: list[Any], target: Any, error: Exception) -> str | None:
    odd = [choice for choice in choices if not (isinstance(choice, str) and choice)]
    if odd:
        return (
            f"doc_to_choice: choice {odd[0]!r} of its first document is not a text of at least "
            "one character. lm-eval takes no other; fix doc_to_choice."
        )
    if isinstance(error, IndexError):
        return (
            f"doc_to_target: {target!r} is not an index of the {len(choices)} choices of its "
            "first document. Fix doc_to_target or doc_to_choice."
        )
    return None


def _lm_eval_frame(error: BaseException) -> FrameType | None:
    """Return the innermost frame of lm-eval's task that the error, or its cause, passed."""
    file = ("lm_eval", "api", "task.py")
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    own = [one for one in frames if Path(one.f_code.co_filename).parts[-3:] == file]
    return own[-1] if own else None


def _where_data_lie(text: str) -> str:
    if "://" in text:
        return (
            "Runs do not use the network. Fetch the file once, put it into the project and name "
            "it under dataset_kwargs in the task's file."
        )
    return (
        "Paths under dataset_kwargs in the task's file are relative to the project folder; put "
        "the file there or fix the path."
    )


def _causes(error: BaseException | None) -> Iterator[Any]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _of_disk(error: OSError) -> str:
    from datasets import config

    cache, file = Path(config.HF_DATASETS_CACHE), Path(error.filename or config.HF_DATASETS_CACHE)
    if error.errno in _FAILING_DISK:
        return f"{file}: {error.strerror}. Check the disk, or the share, that it is on."
    if cache.is_relative_to(file) or file.is_relative_to(cache):
        remedy = "Set HF_HOME to a folder with room in which you may write."
        return f"{cache}: {error.strerror}. {remedy}"
    return f"{file}: {error.strerror}. Give yourself the right to use it, or free some room."
