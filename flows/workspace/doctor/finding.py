"""What a check says."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `germline doctor`; ``remedy`` is empty where nothing is to be done."""

    level: Level
    subject: str
    text: str
    remedy: str = ""

    def line(self) -> str:
        """Return the finding for a person."""
        remedy = f" {self.remedy}" if self.remedy else ""
        end = "" if self.text.endswith("?") else "."
        return f"{self.level:<8}{self.subject}: {self.text}{end}{remedy}"
