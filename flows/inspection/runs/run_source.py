"""A run that is named by a folder, a git revision or a DVC experiment."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flows.inspection.project_folder import SELECTION, project_folder
from flows.inspection.rows.row_difference import flat
from flows.inspection.stored_lineage import StoredLineage, read_half, read_lineage
from stages.errors import LineageError, ParamsError, at
from stages.files import text_of
from stages.lineage.rows import LINEAGE
from stages.params.load import PARAMS_PATH
from stages.params.space.space_params import Half
from stages.yaml_text import document_in


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run that lies on disk: its lineage, and its params by their paths; None where unknown."""

    name: str
    lineage: StoredLineage
    params: Mapping[str, Any] | None


@contextmanager
def stored_run(word: str, half: Half | None = None) -> Iterator[StoredRun]:
    """Give the run that ``word`` means; what was fetched for it is gone after the block.

    It is the folder of a project, of a lineage or of a selection; else a git revision, or the
    name of a DVC experiment, of the project around the working folder. With ``half`` its search
    in that half of the space alone.

    Raises:
        GermlineError: it means none, or the run is damaged or not whole.
    """
    if Path(word).is_dir():
        yield _run(word, _folder_of_run(Path(word).absolute()), half)
        return
    from stages.store.past_outputs import write_past

    with TemporaryDirectory(prefix="germline-compare-") as scratch:
        paths = (str(PARAMS_PATH), LINEAGE.as_posix(), SELECTION.as_posix())
        with at(f"run {word}"):
            write_past(word, paths, Path(scratch), _project())
            if not Path(scratch, LINEAGE).is_dir():
                raise LineageError(
                    "its lineage is neither in DVC's cache nor in its remote, or that "
                    "revision has none. Try `dvc fetch --all-commits`."
                )
        yield _run(word, Path(scratch), half)


def _folder_of_run(folder: Path) -> Path:
    """Return the folder itself; for one that the working folder is in, its project's.

    Another folder without a run is not taken for the project that it lies in: it may be mistyped.
    """
    is_run = any((folder / name).exists() for name in ("genomes.jsonl", LINEAGE, SELECTION))
    if is_run or not Path.cwd().is_relative_to(folder.resolve()):
        return folder
    try:
        return project_folder(folder)
    except ParamsError:
        return folder


def _project() -> Path:
    try:
        return project_folder()
    except ParamsError as error:
        raise LineageError(
            "not a folder, and there is no project here whose revision or experiment it "
            "could be. Change to the project's folder."
        ) from error


def _run(word: str, folder: Path, half: Half | None) -> StoredRun:
    with at(f"run {word}"):
        lineage = read_lineage(folder) if half is None else read_half(folder, half)
        return StoredRun(word, lineage, _params(folder))


def _params(folder: Path) -> Mapping[str, Any] | None:
    try:
        document = document_in(text_of(folder / PARAMS_PATH))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ParamsError(f"{PARAMS_PATH}: {error}. Fix the file there.") from error
    return flat(document.plain()) if document is not None else {}
