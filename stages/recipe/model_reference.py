"""A model as somebody names it: by a place and perhaps a revision, with or without an adapter."""

from dataclasses import dataclass
from typing import Self

from stages.files import can_be_path


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A folder or a hub id, and an adapter's: ``PATH@REVISION+ADAPTER@REVISION``."""

    path: str
    revision: str | None = None
    adapter: str | None = None
    adapter_revision: str | None = None

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return the reference that ``text`` spells; None where it spells none."""
        parts = [part.strip() for part in text.split("+")]
        if len(parts) > 2 or not all(parts) or not all(map(can_be_path, parts)):
            return None
        words: list[str | None] = []
        for part in parts:
            name, at, revision = part.rpartition("@")
            words += [name, revision] if at and name else [part, None]
        return cls(str(words[0]), *words[1:])

    def __str__(self) -> str:
        text = self.path + (f"@{self.revision}" if self.revision else "")
        if self.adapter is None:
            return text
        return f"{text}+{self.adapter}" + (
            f"@{self.adapter_revision}" if self.adapter_revision else ""
        )
