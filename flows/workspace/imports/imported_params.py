"""What an import gives, and the parts that every kind of file shares."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from stages.checkpoint.safetensors_header import read_json
from stages.errors import GermlineError, ParamsError
from stages.lineage.rows import is_row_name
from stages.recipe.recipe import MERGE
from stages.select.final.baselines import RESERVED

_MODEL_KEYS = {"model", "lora", "override_architecture"}
_TAKEN = frozenset({*RESERVED, MERGE, "union"})  # union: of merge.tokenizer
_MOST_LETTERS = 50  # with what is added; a name has 64 at most


@dataclass(frozen=True, slots=True)
class ImportedParams:
    """Sections of params.yaml; ``notes`` say what is otherwise than in the file, and why."""

    sections: dict[str, Any]
    notes: tuple[str, ...]


def model_text(given: Any, notes: list[str]) -> str:
    """Return a model of MergeKit's language as one text: PATH@REVISION+ADAPTER@REVISION.

    Raises:
        ParamsError: it is neither a text nor a mapping of ``model`` and ``lora``.
    """
    if isinstance(given, str) and given:
        return given
    if not isinstance(given, Mapping) or not {"model"} <= set(given) <= _MODEL_KEYS:
        raise ParamsError(
            f"got {given!r:.60}. Give a folder or a model of the hub, or a mapping with the keys "
            "model and, for an adapter, lora."
        )
    if given.get("override_architecture") is not None:
        notes.append("override_architecture cannot be carried over: config.json names it")
    parts = [given[key] for key in ("model", "lora") if given.get(key) is not None]
    return "+".join(_place(part) for part in parts)


def _place(given: Any) -> str:
    """Return PATH or PATH@REVISION of a text or a mapping of path and revision."""
    mapping = {"path": given} if isinstance(given, str) else given
    if not isinstance(mapping, Mapping) or not {"path"} <= set(mapping) <= {"path", "revision"}:
        raise ParamsError(f"got {given!r:.60}. Give a text, or a mapping of path and revision.")
    path, revision = mapping["path"], mapping.get("revision")
    if not isinstance(path, str) or not path or not isinstance(revision, str | None):
        raise ParamsError(f"got {given!r:.60}. Give path and revision as texts.")
    return path if revision is None else f"{path}@{revision}"


def source_of(model: str) -> str:
    """Return the source of a model; what is of the hub gets its branch ``main``."""
    return "+".join(_with_branch(part) for part in model.split("+"))


def _with_branch(model: str) -> str:
    is_hub = re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", model, re.ASCII)
    return f"{model}@main" if is_hub and not Path(model).is_dir() else model


def named_parents(models: Iterable[str], base: str, notes: list[str]) -> dict[str, str]:
    """Return a name and a source for each model but the base."""
    parents: dict[str, str] = {}
    for model in models:
        if model == base:
            notes.append(f"{model} is the base: it is in every merge, and not a parent as well")
            continue
        stem = Path(model.split("@")[0].split("+")[0]).name
        parents[parent_name(stem, parents, notes)] = source_of(model)
    return parents


def parent_name(wanted: str, taken: Collection[str], notes: list[str]) -> str:
    """Return a legal name for a parent, as near to ``wanted`` as can be, other than ``taken``.

    A note says where it is another than the file's, because germline has a use for that word.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", wanted).lstrip("_.-")[:_MOST_LETTERS] or "model"
    if name in _TAKEN or is_row_name(name):
        name = f"{name}-model"
        notes.append(f"the parent {wanted} is called {name}: germline uses the word itself")
    numbered = (f"{name}-{number}" for number in count(2))
    return name if name not in taken else next(n for n in numbered if n not in taken)


def num_layers_of(model: str) -> int | None:
    """Return how many layers a model on this machine has; None where it is not here."""
    folder = Path(re.split(r"[+@]", model)[0]).expanduser()
    if not (folder / "config.json").is_file():
        return None
    try:
        value = read_json(folder / "config.json").get("num_hidden_layers")
    except GermlineError:
        return None
    return value if isinstance(value, int) else None
