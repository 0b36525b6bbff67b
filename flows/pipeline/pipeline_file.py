"""What dvc.yaml says that a stage depends on."""

import os
from pathlib import Path

import yaml

PIPELINE = Path("dvc.yaml")


def watches(stage: str, path: str) -> bool | None:
    """Return whether a file or folder, or one that it is in, is among the deps of ``stage``.

    None where dvc.yaml has no such stage.
    """
    stages = yaml.safe_load(PIPELINE.read_text(encoding="utf-8")) if PIPELINE.is_file() else {}
    deps = stages.get("stages", {}).get(stage, {}).get("deps")
    if deps is None:
        return None
    whole = Path(os.path.normpath(path))
    return bool({str(whole), *map(str, whole.parents)} & {os.path.normpath(d) for d in deps})
