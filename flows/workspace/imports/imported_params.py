"""What an import gives, and the parts that every kind of file shares."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class ImportedParams:
    """Sections of params.yaml; ``notes`` say what is otherwise than in the file, and why."""

    sections: dict[str, Any]
    notes: tuple[str, ...]


def source_of(model: str) -> str:
    """Return the source of a model; one of the hub gets its branch ``main``."""
    is_hub = re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", model, re.ASCII)
    return f"{model}@main" if is_hub and not Path(model).is_dir() else model


def named_parents(models: Iterable[str], base: str, notes: list[str]) -> dict[str, str]:
    """Return a name and a source for each model but the base."""
    parents: dict[str, str] = {}
    for model in models:
        if model == base:
            notes.append(f"{model} is the base: it is in every merge, and not a parent as well")
            continue
        stem = re.sub(r"[^A-Za-z0-9_.-]", "-", Path(model.split("@")[0].split("+")[0]).name)
        name = stem if stem not in parents else f"{stem}-{len(parents) + 1}"
        parents[name] = source_of(model)
    return parents
