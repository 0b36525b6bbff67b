"""Why a search ended before its last generation: part of the lineage, where it did."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

from stages.errors import LineageError
from stages.files import write_whole
from stages.hashing import canonical_json
from stages.json_text import read_json

StopRule = Literal["target", "patience", "candidates", "items"]
FILE_NAME = "ending.json"


@dataclass(frozen=True, slots=True)
class Ending:
    """The last generation of a search that a rule of ``select.stop`` ended, and why it did."""

    generation: int
    rule: StopRule
    reason: str

    def __str__(self) -> str:
        """Return the ending as a sentence."""
        return (
            f"stopped after generation {self.generation}: {self.reason} (select.stop.{self.rule})"
        )

    def write(self, folder: Path) -> None:
        """Write the ending into the lineage's ``folder``; equal endings, equal bytes."""
        write_whole(folder / FILE_NAME, canonical_json(asdict(self)) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return the ending in the lineage's ``folder``; None where no rule ended the search.

        Raises:
            LineageError: the file is damaged.
        """
        path = folder / FILE_NAME
        try:
            return cls(**read_json(path))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise LineageError(
                f"{path}: does not say how a search ended ({error}). The file is damaged; restore "
                "it with `dvc checkout`, or run `dvc repro -f evolve`, which repeats the search "
                "from the cache."
            ) from error
