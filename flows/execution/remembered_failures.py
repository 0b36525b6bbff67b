"""Under which key a failure is remembered, and so what a user changes to have it tried again.

A failure is believed as long as the code that gave it, ``evaluate.retries``,
``evaluate.timeout_s`` and the patience with judges stay what they are. Each of them is a way out;
another number of retries is the documented one, as it changes no score.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import stages
from stages.hashing import content_hash
from stages.params.task_params import JudgeParams

_ROOMS = ("checkpoint", "evaluate", "merge", "recipe")


def failure_key(
    evaluation_key: str, *, timeout_s: float, retries: int, judges: Sequence[JudgeParams]
) -> str:
    """Return the key of the failure of what would be stored under ``evaluation_key``."""
    patience = [[timeout_s, retries], *([j.timeout_s, j.retries] for j in judges)]
    return content_hash(["failed", evaluation_key, _code(), *patience])


@cache
def _code() -> str:
    """Return the hash of the code that a candidate can fail in."""
    digest = hashlib.sha256()
    root = Path(stages.__path__[0])
    for path in sorted(path for room in _ROOMS for path in (root / room).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()
