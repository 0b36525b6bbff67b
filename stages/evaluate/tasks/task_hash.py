"""Turn documents and task configs into plain data that hashes alike on any machine."""

import inspect
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.errors import CheckpointError
from stages.hashing import content_hash, file_hash
from stages.json_text import read_json

# Where the data lie and their names; the content of the documents is hashed instead.
_NOT_SCORING = (
    "custom_dataset",
    "dataset_kwargs",
    "dataset_name",
    "dataset_path",
    "doc_to_decontamination_query",
    "fewshot_split",
    "metadata",
    "process_docs",
    "should_decontaminate",
    "tag",
    "task",
    "task_alias",
    "test_split",
    "training_split",
    "validation_split",
)
_NOT_DECIDING = ("_name_or_path", "name_or_path", "transformers_version")


def item_id(doc: Any) -> str:
    """Return the id of a document: 16 hex digits of the hash of its content."""
    return content_hash(plain(doc))[:16]


def config_of(task: Any) -> dict[str, Any]:
    """Return the part of a task's config that decides scores, functions as file hashes."""
    config = task.config.to_dict(keep_callable=True)
    kept = {k: v for k, v in config.items() if k not in _NOT_SCORING}
    kept["class"] = type(task)
    if isinstance(kept.get("fewshot_config"), Mapping):
        kept["fewshot_config"] = {
            k: v for k, v in kept["fewshot_config"].items() if k not in ("split", "process_docs")
        }
    data: dict[str, Any] = plain(kept)
    return data


def folder_key(folder: Path) -> str:
    """Return the hash of all that decides scores in a model folder besides its weights.

    That is the configs, the tokenizer and the chat template; not the model card.
    """
    contents: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".json" and not path.name.endswith(".index.json"):
            content = _content(path)
            if isinstance(content, dict):
                content = {k: v for k, v in content.items() if k not in _NOT_DECIDING}
            contents[path.name] = plain(content)
        elif path.suffix in (".jinja", ".model", ".tiktoken", ".txt"):
            contents[path.name] = file_hash(path)
    return content_hash(contents)


def _content(path: Path) -> Any:
    try:
        return read_json(path, constants=("NaN", "Infinity", "-Infinity"))
    except ValueError as error:
        raise CheckpointError(f"{path}: not JSON: {error}. Fetch the model again.") from error


def plain(value: Any) -> Any:
    """Return ``value`` as plain JSON data; equal content gives equal data in every process."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return _source_of(value) if callable(value) else _plain_object(value)


def _plain_object(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset):
        return sorted((plain(v) for v in value), key=str)
    for method in ("tolist", "isoformat"):  # NumPy arrays and scalars; dates and times
        if hasattr(value, method):
            return plain(getattr(value, method)())
    return type(value).__qualname__


def _source_of(function: Any) -> dict[str, str]:
    """Return a function's name and the hash of the file that defines it, helpers included."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    if str(getattr(function, "__module__", "")).startswith("lm_eval."):
        return {"function": name, "source": "lm_eval"}  # its version is part of the key
    try:
        path = inspect.getsourcefile(function)
    except TypeError:
        path = None
    return {"function": name, "source": file_hash(Path(path)) if path else "built in"}
