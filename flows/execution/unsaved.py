"""Evaluations that the store could not take: kept aside, so that no score is computed twice."""

from typing import Any

from stages.errors import GermlineError
from stages.files import write_whole
from stages.hashing import canonical_json
from stages.json_text import read_json
from stages.scratch_folder import SCRATCH
from stages.store.candidate_store import CandidateStore

UNSAVED = SCRATCH / "unsaved"


def keep(key: str, document: Any, error: GermlineError) -> str:
    """Keep ``document`` aside; return one line that says so and why it is not in the store."""
    try:
        write_whole(UNSAVED / f"{key}.json", canonical_json(document) + "\n")
    except OSError as second:
        return f"{error} The evaluation cannot be kept in {UNSAVED} either: {second.strerror}."
    return f"{error} The evaluation is kept in {UNSAVED} until the next run stores it."


def store_unsaved(store: CandidateStore) -> int:
    """Put what was kept aside into the store; return how many documents those were.

    Raises:
        LineageError: the store still cannot be written; nothing is lost.
    """
    num_stored = 0
    for path in sorted(UNSAVED.glob("*.json")):
        try:
            document = read_json(path)
        except ValueError:
            path.unlink()  # not written to its end: it is computed again
            continue
        store.put_json(path.stem, document)
        path.unlink()
        num_stored += 1
    return num_stored
