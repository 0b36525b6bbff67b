"""The journal of a run: what was evaluated, line by line as it happens."""

import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stages.errors import LineageError
from stages.files import text_in
from stages.hashing import canonical_json
from stages.json_text import json_in
from stages.lineage.rows import Row


class Journal:
    """An append-only log of finished evaluations; it outlives a kill at any moment.

    It is for people and for progress bars, is not tracked, and may hold times. Each record is one
    line, on disk when ``append`` returns. A last line that a crash tore is dropped on opening.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the journal at ``path``."""
        self.path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            whole = path.read_bytes()
            kept = whole[: whole.rfind(b"\n") + 1]
            if len(kept) < len(whole):
                os.truncate(path, len(kept))

    def add(self, rows: Iterable[Row]) -> None:
        """Append a record for each of ``rows``, in full."""
        for row in rows:
            self.append(row.to_dict())

    def append(self, record: Mapping[str, Any]) -> None:
        """Append one record; threads may call it at once."""
        line = (canonical_json(dict(record)) + "\n").encode()
        with self._lock, self.path.open("ab", buffering=0) as file:
            file.write(line)
            os.fsync(file.fileno())

    def read(self) -> list[dict[str, Any]]:
        """Return the whole records, oldest first; a torn last line is left out.

        Raises:
            LineageError: a line before the last is damaged.
        """
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().split(b"\n")[:-1]
        records = []
        for number, line in enumerate(lines, start=1):
            try:
                records.append(json_in(text_in(line)))
            except ValueError as error:
                raise LineageError(
                    f"{self.path}, line {number}: not JSON ({error}). The journal is only a log; "
                    "move it away and run again."
                ) from error
        return records
