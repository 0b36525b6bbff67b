"""Evaluations that the store could not take: kept aside, so that no score is computed twice."""

from collections.abc import Mapping
from typing import Any

from flows.execution.known_results import learn_origin
from stages.errors import GermlineError
from stages.files import write_whole
from stages.hashing import canonical_json
from stages.json_text import read_json
from stages.scratch_folder import SCRATCH
from stages.store.candidate_store import CandidateStore
from stages.store.facts import Facts

UNSAVED = SCRATCH / "unsaved"


def keep(key: str, document: Any, environment: Mapping[str, Any], error: GermlineError) -> str:
    """Keep ``document`` aside; return one line that says so and why it is not in the store."""
    content = canonical_json({"document": document, "environment": dict(environment)})
    try:
        write_whole(UNSAVED / f"{key}.json", content + "\n")
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
            kept = read_json(path)
            document, environment = kept["document"], kept["environment"]
        except (ValueError, KeyError, TypeError):
            path.unlink()  # not written to its end: it is computed again
            continue
        store.put_json(path.stem, document)
        learn_origin(Facts(store.root), path.stem, environment)
        path.unlink()
        num_stored += 1
    return num_stored
