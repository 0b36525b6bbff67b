"""The folder of the project: commands work in any folder inside it."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.errors import ParamsError

GENOMES = Path("data/lineage/genomes.jsonl")
SELECTION = Path("data/selection")


def is_project(folder: Path) -> bool:
    """Return whether a project is in ``folder``: params.yaml with dvc.yaml, or a lineage."""
    has_pipeline = all((folder / name).is_file() for name in ("params.yaml", "dvc.yaml"))
    return has_pipeline or (folder / GENOMES).is_file()


def project_folder(start: Path = Path()) -> Path:
    """Return the nearest folder that holds a project: ``start`` or one above it.

    Raises:
        ParamsError: there is none.
    """
    if not start.is_dir():
        raise ParamsError(f"{start}: no such folder. Give the folder of a project.")
    start = start.absolute()
    for folder in (start, *start.parents):
        if is_project(folder):
            return folder
    raise ParamsError(
        f"{start}: not in a project of germline. Change to a folder inside one: it holds "
        f"params.yaml and dvc.yaml, or {GENOMES}."
    )


def surrounding_project() -> Path | None:
    """Return the project above the working folder; None where that is one, or has params.yaml."""
    here = Path.cwd()
    if is_project(here) or Path("params.yaml").is_file():
        return None
    return next((folder for folder in here.parents if is_project(folder)), None)


@contextmanager
def at_project(start: Path = Path()) -> Iterator[Path]:
    """Make the project around ``start`` the working folder of the block, and give its path.

    Raises:
        ParamsError: there is none.
    """
    folder = project_folder(start)
    with contextlib.chdir(folder):
        yield folder
