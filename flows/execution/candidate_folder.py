"""How a candidate's weights come to the backend that scores them."""

import os
import shutil
from pathlib import Path
from typing import Protocol

from stages.evaluate.backends.lm_eval_model import NativeLM
from stages.merge.outputs.model_folder import write_model
from stages.merge.plan.plan import Plan

CANDIDATES = Path(".scratch/candidates")


class Sink(Protocol):
    """Takes children, one at a time."""

    def load(self, plan: Plan) -> str:
        """Have the child of ``plan`` scored from now on; return its weights hash."""


class FolderSink:
    """Writes each child to a folder of this process, has the backend load it, and removes it."""

    def __init__(self, backend: NativeLM, *, shard_bytes: int) -> None:
        self._backend = backend
        self._shard_bytes = shard_bytes
        self._folder = CANDIDATES / str(os.getpid())

    def load(self, plan: Plan) -> str:
        """Have the backend load the child of ``plan``; return its weights hash.

        Raises:
            RecipeError: a tensor cannot be merged.
            ParamsError: the backend cannot load the child.
        """
        clear(self._folder)  # a process that was killed may have had this number
        CANDIDATES.mkdir(parents=True, exist_ok=True)
        try:
            found = write_model(plan, self._folder, shard_bytes=self._shard_bytes)
            self._backend.load(self._folder)
        finally:
            clear(self._folder)
        return found


def clear(folder: Path = CANDIDATES) -> None:
    """Remove what a killed worker left of a candidate."""
    shutil.rmtree(folder, ignore_errors=True)
