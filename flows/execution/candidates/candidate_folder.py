"""How a candidate's weights come to the backend that scores them."""

from typing import Protocol

from stages.evaluate.backends.lm_eval_model import NativeLM
from stages.merge.outputs.model_folder import write_model
from stages.merge.plan.plan import Plan
from stages.scratch_folder import scratch_folder


class Sink(Protocol):
    """Takes children, one at a time."""

    def load(self, plan: Plan) -> str:
        """Have the child of ``plan`` scored from now on; return its weights hash."""


class FolderSink:
    """Writes each child to a folder, has the backend load it, and removes it."""

    def __init__(self, backend: NativeLM, *, shard_bytes: int) -> None:
        self._backend = backend
        self._shard_bytes = shard_bytes

    def load(self, plan: Plan) -> str:
        """Have the backend load the child of ``plan``; return its weights hash.

        Raises:
            RecipeError: a tensor cannot be merged.
            ParamsError: the backend cannot load the child.
        """
        with scratch_folder() as scratch:
            weights_hash = write_model(plan, scratch / "model", shard_bytes=self._shard_bytes)
            self._backend.load(scratch / "model")
        return weights_hash
