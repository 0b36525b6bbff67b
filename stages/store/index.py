"""What the candidate store knows about a key, and the index from keys to these records."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Self

from stages.errors import kind_and_words
from stages.hashing import content_hash
from stages.store.entries import KEY, Entries

_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


def evaluation_key(recipe_id: str, suite_key: str) -> str:
    """Return the key of a recipe's evaluation on the items and settings behind ``suite_key``."""
    return content_hash(["evaluation", recipe_id, suite_key])


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a stored folder; ``path`` is relative to the folder, with slashes."""

    path: str
    md5: str
    size: int


@dataclass(frozen=True, slots=True)
class Record:
    """What a key holds: a JSON document (``members`` is None) or a folder of files.

    ``md5`` names the object in DVC's cache, ``size`` is in bytes, ``meta`` is the caller's.
    """

    key: str
    md5: str
    size: int
    members: tuple[Member, ...] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON data; ``from_dict`` is its inverse."""
        members = self.members
        return {
            "files": None if members is None else [[m.path, m.md5, m.size] for m in members],
            "key": self.key,
            "md5": self.md5,
            "meta": dict(self.meta),
            "size": self.size,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the record that ``to_dict`` wrote.

        Raises:
            ValueError: a field is missing, or could lead outside the cache or the folder.
        """
        try:
            files = data["files"]
            members = None if files is None else tuple(Member(p, h, s) for p, h, s in files)
            record = cls(data["key"], data["md5"], int(data["size"]), members, data["meta"])
            names = [record.md5, *(m.md5 for m in members or ())]
            named_well = KEY.fullmatch(record.key) and all(map(_MD5.fullmatch, names))
            stays_inside = all(_stays_inside(PurePosixPath(m.path)) for m in members or ())
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a record of the store: {kind_and_words(error)}") from error
        if not named_well:
            raise ValueError("not a record of the store: its key or a hash is malformed")
        if not stays_inside:
            raise ValueError("not a record of the store: a file lies outside its folder")
        return record

    def object_names(self) -> list[str]:
        """Return the MD5 of every object that holds the content itself, each once."""
        return [self.md5] if self.members is None else sorted({m.md5 for m in self.members})


class Index:
    """The records by key; what in ``entries`` is damaged is not there."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries

    def find(self, key: str) -> Record | None:
        """Return the record of ``key``; None where there is none, or it is damaged.

        Raises:
            OSError: it cannot be read.
        """
        data = self._entries.read(key)
        try:
            return Record.from_dict(data) if data is not None else None
        except ValueError:
            return None

    def enter(self, record: Record) -> None:
        """Make ``record`` what its key holds.

        Raises:
            OSError: it cannot be written.
        """
        self._entries.write(record.key, record.to_dict())


def _stays_inside(path: PurePosixPath) -> bool:
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts
