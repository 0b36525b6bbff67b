"""What an import gives, and the parts that every kind of file shares."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from stages.lineage.rows import is_row_name
from stages.recipe.recipe import MERGE
from stages.select.final.baselines import RESERVED

_TAKEN = frozenset({*RESERVED, MERGE, "union"})  # union: of merge.tokenizer
_MOST_LETTERS = 50  # with what is added; a name has 64 at most


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
