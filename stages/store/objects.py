"""The objects in DVC's cache: where they are, and whether they are whole."""

import hashlib
from pathlib import Path
from typing import Any

from dvc.output import Output
from dvc_data.hashfile.db import add_update_tree
from dvc_data.hashfile.hash import hash_file
from dvc_data.hashfile.state import StateBase
from dvc_data.hashfile.tree import Tree

from stages.store.index import Record


class Objects:
    """DVC's local cache as the store reads it; ``cache`` is ``Repo.cache.local``."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def path(self, name: str) -> Path:
        """Return the place of an object, which need not be there."""
        return Path(self._cache.oid_to_path(name))

    def make_folder(self, name: str) -> None:
        """Make the folder that an object goes to; DVC trusts that one it saw is still there."""
        self._cache.makedirs(str(self.path(name).parent))

    def read(self, name: str) -> bytes | None:
        """Return an object's bytes; None where it is gone, or was damaged and is removed now."""
        path = self.path(name)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != name:
            path.unlink(missing_ok=True)
            return None
        return data

    def has(self, record: Record, *, trust_state: bool = True) -> bool:
        """Tell whether every object of ``record`` is there and has its hash."""
        sound = [self.is_sound(n, trust_state=trust_state) for n in record.object_names()]
        return all(sound)  # not lazily: each damaged object is to be removed

    def is_sound(self, name: str, *, trust_state: bool = True) -> bool:
        """Tell whether an object is there and has its hash; remove it where it does not.

        With ``trust_state``, DVC's record of the hash stands for one as long as the file's inode,
        size and time of change are the same. DVC itself trusts any read-only object.
        """
        path, state = self.path(name), self._cache.state if trust_state else None
        try:
            _, hashed = hash_file(str(path), self._cache.fs, "md5", state=state)
        except FileNotFoundError:
            return False
        sound: bool = hashed.value == name.removesuffix(".dir")
        if not sound:
            path.unlink(missing_ok=True)
        return sound

    def tree(self, record: Record) -> Tree:
        """Return the folder's tree; `dvc gc` may have taken the object that lists its files."""
        members = record.members or ()
        self.is_sound(record.md5)
        tree = Tree.from_list([{"relpath": m.path, "md5": m.md5} for m in members], "md5")
        tree.digest()
        for file in members:
            tree.get(tuple(file.path.split("/")))[0].size = file.size
        return add_update_tree(self._cache, tree)


class UnstagedOutput(Output):  # type: ignore[misc]  # DVC is untyped
    """An output of no stage: no .gitignore is edited for it, and .dvcignore leaves it whole."""

    use_scm_ignore = False
    dvcignore = None

    def _checkout(self, *args: Any, state: StateBase, **options: Any) -> bool | None:
        done: bool | None = super()._checkout(*args, state=_WithoutLinks(state), **options)
        return done


class _WithoutLinks:
    """DVC's memory of hashes, without its list of links.

    `dvc checkout` removes what is in that list and of no stage, as these outputs are. And to enter
    one opens and closes a database: 19 of the 21 ms of a small file (2026-11-29).
    """

    def __init__(self, state: StateBase) -> None:
        self._state = state

    def __getattr__(self, name: str) -> Any:
        return getattr(self._state, name)

    def set_link(self, path: str, inode: int, mtime: str) -> None:
        """Enter nothing."""
