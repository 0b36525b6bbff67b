"""What is known of keys on this machine, or by those who share its cache: no output holds it."""

from pathlib import Path
from typing import Any

from stages.store.dvc_project import INDEX, entries
from stages.store.faults import store_faults


class Facts:
    """JSON data by content hashes, next to the index of the DVC project at ``root``."""

    def __init__(self, root: Path = Path()) -> None:
        self._root = root.absolute()

    def known(self, subject: str) -> Any | None:
        """Return what is known of ``subject``; None where that is nothing.

        Raises:
            LineageError: the cache cannot be read.
        """
        with store_faults("cannot be read"):
            return entries(self._root, INDEX, "facts").read(subject)

    def learn(self, subject: str, fact: Any) -> None:
        """Make ``fact`` what is known of ``subject``.

        Raises:
            LineageError: the cache cannot be written.
        """
        with store_faults("cannot be written"):
            entries(self._root, INDEX, "facts").write(subject, fact)

    def path(self, subject: str) -> Path:
        """Return the file that holds what is known of ``subject``."""
        return entries(self._root, INDEX, "facts").path(subject)
