"""The champion of an earlier run as a parent: where it is, and what its card says of it."""

import re
from dataclasses import dataclass
from pathlib import Path

from stages.errors import CheckpointError
from stages.files import text_of
from stages.licences import CARD

CHAMPION = Path("data/champion")
_SAID = re.compile(r"^Recipe `([0-9a-f]{64})`, weights `([0-9a-f]{64})`\.$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RunChampion:
    """A champion's folder, the id of its recipe and the hash of its weights, by its card."""

    folder: Path
    recipe_id: str
    weights_hash: str


def champion_of(run: Path) -> RunChampion:
    """Return the champion of the run at ``run``: a project's folder, or the champion's own.

    Raises:
        CheckpointError: there is none.
    """
    if not run.is_dir():
        raise CheckpointError(
            "no such folder. Give the folder of a project in which a run has ended, or its "
            f"{CHAMPION}; relative paths start at the project folder."
        )
    folder = run / CHAMPION if (run / CHAMPION).is_dir() else run
    try:
        card = text_of(folder / CARD)
    except FileNotFoundError:
        card = ""
    except ValueError as error:
        raise CheckpointError(f"{CARD} of the champion cannot be read: {error}.") from error
    said = _SAID.search(card)
    if said is None:
        raise CheckpointError(
            f"no champion: neither {CHAMPION} nor the folder itself has a {CARD} that names a "
            "recipe and its weights. Run `dvc repro` there first, or `dvc pull`."
        )
    return RunChampion(folder, said[1], said[2])
