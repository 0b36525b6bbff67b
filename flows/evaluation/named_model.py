"""From a model's name to its folder: a folder, a model of the hub, or a candidate."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.inspection.stored_lineage import CHAMPION_WORD, read_lineage
from flows.merging.model_cache import Resolver
from flows.merging.project_plan import project_plan
from stages.download.manifest import PARENTS
from stages.errors import CheckpointError, LineageError, ParamsError, at
from stages.hashing import nearest
from stages.lineage.queries import MIN_DIGITS, content_of, means_a_row, row_named
from stages.lineage.rows import LINEAGE, MEAN, Row, read_rows
from stages.merge.outputs.model_folder import write_model
from stages.params.merge_params import MergeParams
from stages.recipe.model_reference import ModelReference
from stages.scratch_folder import scratch_folder

_CANDIDATE = re.compile(rf"[gs]\d+-c\d+|{MEAN}|[0-9a-f]{{8,64}}")  # nothing else looks like that
_ROWS = LINEAGE / "genomes.jsonl"


@contextmanager
def model_folder(name: str, merge: MergeParams | None, *, offline: bool) -> Iterator[Path]:
    """Give the folder of the model ``name``; that of a candidate is gone after the block.

    Raises:
        GermlineError: there is no such model, or it cannot be merged again or read.
    """
    if is_candidate(name):
        own, row = _candidate(name, merge)
        with scratch_folder() as scratch:
            yield _merged(row, own, scratch / row.name)
    else:
        reference = _reference(name)
        with _advice(name):
            folder = Resolver("model", offline=offline).folder(reference)
        yield folder


def check_model_name(name: str, merge: MergeParams | None, *, offline: bool) -> None:
    """Check that there is a model ``name``; of the hub's, no weights are fetched for it.

    Raises:
        GermlineError: there is none.
    """
    if is_candidate(name):
        _candidate(name, merge)
        return
    reference = _reference(name)
    with _advice(name):
        Resolver("model", offline=offline).check(reference)


def is_candidate(name: str) -> bool:
    """Return whether ``name`` can mean a candidate only; a slip of one is not asked of the hub."""
    if Path(name).is_dir():
        return False
    if _CANDIDATE.fullmatch(name) or (name == CHAMPION_WORD and _ROWS.is_file()):
        return True
    is_bare = bool(name) and not set("/@+:") & set(name)
    return is_bare and _ROWS.is_file() and means_a_row(read_rows(_ROWS), name, [CHAMPION_WORD])


def _candidate(name: str, merge: MergeParams | None) -> tuple[MergeParams, Row]:
    """Return how the project of a candidate merges, and its row."""
    if merge is None:
        raise ParamsError(
            f"model {name}: a candidate belongs to a project, and there is no params.yaml of "
            "germline here. Change to the project's folder; for a folder give its path."
        )
    return merge, _row(name)


def _reference(name: str) -> ModelReference:
    reference = ModelReference.read(name)
    if reference is None:
        raise CheckpointError(
            f"model {name!r}: not the name of a model. Give a folder, ORG/NAME or "
            "ORG/NAME@REVISION of the hub, or a candidate such as g05-c03."
        )
    _check_prefix(name)
    if reference.revision is None:
        _check_folder(reference.path)
    return reference


@contextmanager
def _advice(name: str) -> Iterator[None]:
    """Say what else a name without a slash could have meant."""
    try:
        yield
    except CheckpointError as error:
        if "/" in name:
            raise
        kept = PARENTS / name
        parent = f" For the run's parent write {kept}." if kept.is_dir() else ""
        raise CheckpointError(f"{error}{_candidates()}{parent}") from error


def _check_prefix(name: str) -> None:
    """Check that ``name`` is not spelt as a source of params.yaml."""
    prefix, colon, rest = name.partition(":")
    folders = {"zoo": f"data/zoo/{rest}", "local": rest, "run": f"{rest}/data/champion"}
    if colon and prefix in folders and not Path(name).exists():
        raise CheckpointError(
            f"model {name}: {prefix}: is for the sources of params.yaml. Write "
            f"{folders[prefix] or 'a folder'}."
        )


def _check_folder(path: str) -> None:
    """Check that a path in a folder that is there is one; without such, it may be of the hub."""
    folder = Path(path).expanduser()
    if "/" not in path or folder.is_dir() or not folder.parent.is_dir():
        return
    if folder.exists():
        raise CheckpointError(f"model {path}: a file. Give the folder of a model.")
    legal = sorted(p.name for p in folder.parent.iterdir() if p.is_dir())
    near = [str(folder.parent / name) for name in legal if nearest(folder.name, [name])]
    is_hub_name = path.count("/") == 1 and not path.startswith((".", "~", "/"))
    otherwise = f"; write {path}@main for a model of the hub" if is_hub_name else ""
    raise CheckpointError(
        f"model {path}: no such folder.{nearest(str(folder), near)} Give a folder that is "
        f"there{otherwise}."
    )


def _candidates() -> str:
    """Return how a candidate of the lineage is named."""
    rows = read_rows(_ROWS) if _ROWS.is_file() else []
    return (
        f" Nor is it a candidate of {_ROWS} ({content_of(rows)}), which is given by its name or "
        f"by at least {MIN_DIGITS} digits of its id or weights hash."
    )


def _row(name: str) -> Row:
    """Return the candidate of the lineage that ``name`` means.

    Raises:
        LineageError: it means none, or several.
    """
    if name == CHAMPION_WORD:
        return read_lineage().row(name)
    rows = read_rows(_ROWS)
    with at(f"model {name}"):
        try:
            return row_named(rows, name, _ROWS, [CHAMPION_WORD])
        except LineageError as error:
            raise LineageError(
                f"{error} For a folder give its path, for a model of the hub {name}@main."
            ) from error


def _merged(row: Row, merge: MergeParams, folder: Path) -> Path:
    """Merge a candidate again, into ``folder``.

    Raises:
        LineageError: the weights are not those that were scored.
    """
    with at(f"model {row.name}"):
        plan = project_plan(row.recipe, merge)
    weights_hash = write_model(plan, folder, shard_bytes=int(merge.shard_gb * 1e9))
    if row.weights_hash not in (None, weights_hash):
        raise LineageError(
            f"model {row.name}: merged again, its weights hash to {weights_hash[:16]}; those of "
            f"the lineage to {str(row.weights_hash)[:16]}. The lineage is of another version of "
            "germline: run `dvc repro` to make it again."
        )
    return folder
