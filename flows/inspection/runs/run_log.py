"""The log of runs on this machine: when, where, how fast, and what was looked up. Not tracked.

The record of a run holds none of this (docs/lineage.md); ``germline status`` reads it.
"""

import os
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from flows.inspection.runs.journal import Journal
from stages.lineage.rows import Row

RUN_LOG = Path("reports/runs/log.jsonl")
JOURNAL = Path("reports/runs/evolve.jsonl")
_INTERVAL_S = 1.0  # between two records of candidates: a cached search has hundreds a second


class RunLog:
    """The log of one stage that scores candidates, ``total`` of them: one record a line.

    ``begin`` says stage, host, process and how long the journal was; ``candidates`` how many are
    done; ``generation`` how many evaluations were computed and looked up so far; ``end`` how the
    stage ended.
    """

    def __init__(self, stage: str, total: int) -> None:
        self._journal = Journal(RUN_LOG)
        self._begun = self._last = time.monotonic()
        self._done = 0
        self._add(
            "begin",
            stage=stage,
            total=total,
            host=socket.gethostname(),
            process=os.getpid(),
            journal_bytes=JOURNAL.stat().st_size if JOURNAL.is_file() else 0,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._add("candidates", done=self._done)
        self._add("end", stopped_by=None if kind is None else kind.__name__)

    def candidates(self, count: int) -> None:
        """Note that ``count`` more candidates are done."""
        self._done += count
        now = time.monotonic()
        if now - self._last >= _INTERVAL_S:
            self._last = now
            self._add("candidates", done=self._done)

    def generation(self, rows: Sequence[Row], num_computed: int) -> None:
        """Note that a generation is in the journal; so many evaluations were computed so far."""
        self._add(
            "generation",
            generation=rows[0].generation,
            failed=sum(row.fitness is None for row in rows),
            computed=num_computed,
            looked_up=max(0, self._done - num_computed),
        )

    def _add(self, event: str, **facts: Any) -> None:
        seconds = round(time.monotonic() - self._begun, 1)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._journal.append({"event": event, "time": now, "seconds": seconds, **facts})
