"""What dvc.yaml says: which stages there are, and what they depend on."""

import os
from pathlib import Path
from typing import Any

from stages.errors import ParamsError
from stages.files import text_of
from stages.hashing import nearest
from stages.yaml_text import document_in

PIPELINE = Path("dvc.yaml")


def watches(stage: str, path: str) -> bool | None:
    """Return whether a file or folder, or one that it is in, is among the deps of ``stage``.

    None where dvc.yaml has no such stage.

    Raises:
        ParamsError: dvc.yaml cannot be read.
    """
    deps: Any = _stages().get(stage)
    deps = deps.get("deps") if isinstance(deps, dict) else None
    if not isinstance(deps, list) or not all(isinstance(path, str) for path in deps):
        return None
    whole = Path(os.path.normpath(path))
    return bool({str(whole), *map(str, whole.parents)} & {os.path.normpath(d) for d in deps})


def check_stage(name: str) -> None:
    """Check that dvc.yaml has a stage ``name``; ``stage@item`` is one of a stage for each item.

    Raises:
        ParamsError: it has none, or cannot be read.
    """
    names = list(_stages())
    if name.partition("@")[0] not in names:
        raise ParamsError(
            f"{PIPELINE} has no stage {name!r}. Stages: {', '.join(names)}.{nearest(name, names)}"
        )


def _stages() -> dict[str, Any]:
    """Return the stages by name; none where there is no file."""
    try:
        document = document_in(text_of(PIPELINE))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ParamsError(f"{PIPELINE}: {error}. Take it from git again.") from error
    data = None if document is None else document.plain()
    stages = data.get("stages") if isinstance(data, dict) else None
    return stages if isinstance(stages, dict) else {}
