"""Keep judges' verdicts by content: an answered question is never asked again."""

import math
import os
from pathlib import Path

from stages.files import scratch_name
from stages.hashing import canonical_json
from stages.json_text import read_json

FOLDER = Path(".judge")  # in the project, tracked by neither git nor DVC; safe to delete or copy


def find(key: str) -> float | None:
    """Return the verdict under ``key``; None where none is kept or it cannot be read."""
    try:
        verdict = float(read_json(_path(key))["verdict"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return verdict if math.isfinite(verdict) else None


def keep(key: str, verdict: float) -> float:
    """Keep the verdict and return the valid one: of two workers' verdicts, the first kept.

    So both score alike, also where a judge does not give the same answer twice.
    """
    standing = find(key)
    if standing is not None:
        return standing
    path = _path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = scratch_name(path)
    scratch.write_text(canonical_json({"verdict": verdict}) + "\n", encoding="utf-8")
    try:
        os.link(scratch, path)  # unlike a rename, it never replaces what another worker kept
    except OSError:  # it exists, or this disk has no links
        if find(key) is None:
            scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    standing = find(key)
    return verdict if standing is None else standing


def _path(key: str) -> Path:
    return FOLDER / key[:2] / f"{key}.json"
