"""Weights that the project's candidate store keeps: such a child is copied, not merged again."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stages.checkpoint.reader import Checkpoint
from stages.errors import LineageError
from stages.merge.plan.plan import Plan
from stages.scratch_folder import scratch_folder


@contextmanager
def kept_weights(plan: Plan) -> Iterator[Checkpoint | None]:
    """Give the child of ``plan`` as the store keeps it; None where it does not, whole.

    The store is that of the DVC project in the working directory.
    """
    if not Path(".dvc").is_dir():
        yield None
        return
    from stages.store.candidate_store import CandidateStore  # DVC takes a second to import

    record, store = None, CandidateStore()
    with suppress(LineageError):  # a store that cannot be read keeps nothing for this merge
        record = store.find(plan.id)
    if record is None or record.members is None:
        yield None
        return
    with scratch_folder() as scratch:
        store.checkout(record, scratch / "model")
        child = Checkpoint(scratch / "model")
        yield child if child.hash() == record.meta.get("weights_hash") else None
