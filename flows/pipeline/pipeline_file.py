"""What dvc.yaml says that a stage depends on."""

import os
from pathlib import Path
from typing import Any

from stages.errors import ParamsError
from stages.files import text_of
from stages.yaml_text import document_in

PIPELINE = Path("dvc.yaml")


def watches(stage: str, path: str) -> bool | None:
    """Return whether a file or folder, or one that it is in, is among the deps of ``stage``.

    None where dvc.yaml has no such stage.

    Raises:
        ParamsError: dvc.yaml cannot be read.
    """
    try:
        document = document_in(text_of(PIPELINE))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ParamsError(f"{PIPELINE}: {error}. Take it from git again.") from error
    deps: Any = None if document is None else document.plain()
    for key in ("stages", stage, "deps"):
        deps = deps.get(key) if isinstance(deps, dict) else None
    if not isinstance(deps, list) or not all(isinstance(path, str) for path in deps):
        return None
    whole = Path(os.path.normpath(path))
    return bool({str(whole), *map(str, whole.parents)} & {os.path.normpath(d) for d in deps})
