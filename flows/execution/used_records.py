"""The records that a run has used, with their documents, until it writes its outputs.

`dvc gc` keeps what dvc.lock names, and knows nothing of a run that goes on: what it takes away
meanwhile is written again from memory.
"""

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.errors import LineageError
from stages.hashing import canonical_json
from stages.store.candidate_store import CandidateStore, Record

_TRIES = 3  # `dvc gc` may come between two steps, hardly twice


class UsedRecords:
    """Records by their keys; threads may share it."""

    def __init__(self, store: CandidateStore) -> None:
        self._store = store
        self._kept: dict[str, tuple[Record, bytes]] = {}

    def add(self, record: Record, document: Any) -> None:
        """Keep a record and its document, which is compressed: items repeat themselves."""
        text = canonical_json(document)
        self._kept[record.key] = (record, zlib.compress(text.encode()))

    def all(self) -> Sequence[Record]:
        """Return the records, sorted by key."""
        return [self._kept[key][0] for key in sorted(self._kept)]

    def check_out(self, record: Record, path: Path) -> None:
        """Make ``path`` the document of ``record``, also where the store has lost it.

        Raises:
            LineageError: the store cannot be written.
        """
        for tries in range(1, _TRIES + 1):
            if self._store.find(record.key) != record:
                document = json.loads(zlib.decompress(self._kept[record.key][1]))
                self._store.put_json(record.key, document, **record.meta)
            try:
                self._store.checkout(record, path)
            except LineageError:
                if tries == _TRIES:
                    raise
            else:
                return
