"""Small JSON files by key, next to DVC's cache: whole at any moment, whoever writes."""

import os
import re
from pathlib import Path
from typing import Any

from stages.errors import LineageError
from stages.files import text_in, write_whole
from stages.hashing import canonical_json
from stages.json_text import json_in

KEY = re.compile(r"[0-9a-f]{64}")
_SHARED_FOLDER, _SHARED_FILE = 0o2775, 0o664  # DVC's modes under `cache.shared group`


class Entries:
    """One file for each key, below ``folder``, which need not exist yet.

    With ``is_shared`` (DVC's `cache.shared group`) folders and files get the modes that DVC gives
    its own, so that everyone of the group may read and replace what another user entered.
    """

    def __init__(self, folder: Path, *, is_shared: bool = False) -> None:
        self.folder = folder
        self._is_shared = is_shared

    def read(self, key: str) -> Any | None:
        """Return the JSON data of ``key``; None where there is none, or it is damaged.

        Raises:
            OSError: it cannot be read.
        """
        try:
            return json_in(text_in(self.path(key).read_bytes()))
        except (FileNotFoundError, ValueError):
            return None

    def write(self, key: str, value: Any) -> None:
        """Make ``value`` the data of ``key``.

        Raises:
            OSError: it cannot be written.
        """
        path, text = self.path(key), canonical_json(value) + "\n"
        if not self._is_shared:
            write_whole(path, text)
            return
        for folder in (self.folder, path.parent):
            _share(folder)
        write_whole(path, text, mode=_SHARED_FILE)

    def path(self, key: str) -> Path:
        """Return the file of ``key``, which need not be there."""
        if not KEY.fullmatch(key):
            raise LineageError(f"store: key is {key!r}. Legal: 64 hex digits.")
        return self.folder / key[:2] / f"{key}.json"


def _share(folder: Path) -> None:
    """Make a folder in which everyone of the group may write; open one that is ours to them."""
    folder.mkdir(parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid == os.geteuid() and status.st_mode & _SHARED_FOLDER != _SHARED_FOLDER:
        folder.chmod(_SHARED_FOLDER)
