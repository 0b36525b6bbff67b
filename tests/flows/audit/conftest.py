"""A run to audit, and hands that change it as a forger, a disk or an update would."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.audit.check_verdict import Verdict
from flows.audit.recorded_run import RecordedRun
from stages.files import write_whole
from stages.hashing import canonical_json

ROWS = Path("data/lineage/genomes.jsonl")


class NoSteps:
    """Shows nobody how far an audit is; ``told`` holds the steps."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def step(self, text: str, total: int | None = None) -> None:
        """Keep a step."""
        del total
        self.told.append(text)

    def advance(self, count: float) -> None:
        """Count nothing."""


def said(check: Callable[[RecordedRun], Verdict]) -> list[str]:
    """Return the differences that a check finds in the run of the working directory."""
    return [str(difference) for difference in check(RecordedRun()).differences]


def flip(path: Path, index: int = -1) -> None:
    """Flip a bit of a file, in a new file: the old one may be DVC's own object."""
    data = bytearray(path.read_bytes())
    data[index] ^= 1
    path.unlink()
    path.write_bytes(bytes(data))


def edit_rows(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change each row of a file of JSON lines."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        edit(row)
    write_whole(path, "".join(canonical_json(row) + "\n" for row in rows))


def edit_document(path: Path, edit: Callable[[Any], None]) -> None:
    """Change a JSON file."""
    data = json.loads(path.read_text(encoding="utf-8"))
    edit(data)
    write_whole(path, canonical_json(data) + "\n")
