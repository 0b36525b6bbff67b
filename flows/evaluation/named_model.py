"""From a model's name to its folder: a folder, a model of the hub, or a candidate."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.execution.candidates.parent_models import ParentModels
from flows.merging.model_cache import Resolver
from stages.download.manifest import Parents
from stages.download.stage import PARENTS
from stages.errors import CheckpointError, LineageError, ParamsError
from stages.hashing import nearest
from stages.lineage.rows import LINEAGE, MEAN, Row, read_rows
from stages.merge import plugins
from stages.merge.outputs.model_folder import write_model
from stages.params.load import Params
from stages.recipe.model_reference import ModelReference
from stages.scratch_folder import scratch_folder

_LEAST_DIGITS = 8  # of a recipe's id, so that no word is taken for one
_CANDIDATE = re.compile(rf"g\d+-c\d+|{MEAN}|[0-9a-f]{{{_LEAST_DIGITS},64}}")
_ROWS = LINEAGE / "genomes.jsonl"


@contextmanager
def model_folder(name: str, params: Params | None, *, offline: bool) -> Iterator[Path]:
    """Give the folder of the model ``name``; that of a candidate is gone after the block.

    Raises:
        GermlineError: there is no such model, or it cannot be merged again or read.
    """
    if Path(name).is_dir() or not _CANDIDATE.fullmatch(name):
        yield _kept_folder(name, offline=offline)
        return
    row = _row(name)
    with scratch_folder() as scratch:
        yield _merged(row, params, scratch / row.name)


def _kept_folder(name: str, *, offline: bool) -> Path:
    reference = ModelReference.read(name)
    if reference is None:
        raise CheckpointError(
            f"model {name!r}: not the name of a model. Give a folder, ORG/NAME or "
            "ORG/NAME@REVISION of the hub, or a candidate such as g05-c03."
        )
    try:
        return Resolver("model", offline=offline).folder(reference)
    except CheckpointError as error:
        raise CheckpointError(f"{error}{_hint(name)}") from error


def _hint(name: str) -> str:
    """Return the folder or the candidate whose name is nearest, where one is near."""
    above = Path(name).expanduser().parent
    folders = [str(p) for p in above.iterdir() if p.is_dir()] if above.is_dir() else []
    if Path(name).exists():
        return ""
    return nearest(name, sorted(folders)) or nearest(name, _names())


def _names() -> list[str]:
    return [row.name for row in read_rows(_ROWS)] if _ROWS.is_file() else []


def _row(name: str) -> Row:
    """Return the candidate of the lineage that ``name`` means, a name or the start of an id.

    Raises:
        LineageError: it means none, or several.
    """
    rows = read_rows(_ROWS)
    meant = [row for row in rows if row.name == name]
    if not meant and len(name) >= _LEAST_DIGITS:
        meant = [row for row in rows if row.id.startswith(name)]
    ids = {row.id for row in meant}
    if len(ids) == 1:
        return meant[0]
    if ids:
        listed = ", ".join(row.name for row in meant[:3])
        raise LineageError(f"model {name}: starts the ids of several candidates ({listed}).")
    names = [row.name for row in rows]
    raise LineageError(
        f"model {name}: neither a folder nor a candidate of {_ROWS}, which holds {len(rows)}: "
        f"{names[0]} to {names[-1]}.{nearest(name, names)}"
        if rows
        else f"model {name}: not a folder, and {_ROWS} holds no candidate."
    )


def _merged(row: Row, params: Params | None, folder: Path) -> Path:
    """Merge a candidate again, into ``folder``.

    Raises:
        LineageError: the weights are not those that were scored.
    """
    if params is None:
        raise ParamsError(
            f"model {row.name}: a candidate belongs to a project, and there is no params.yaml of "
            "germline here. Change to the project's folder."
        )
    plugins.load(params.merge.plugins)
    parents = Parents.read(PARENTS)
    missing = sorted({a.name for a in row.recipe.ancestors} - {*_known(row, parents)})
    if missing:
        raise LineageError(
            f"model {row.name}: was merged from other weights of {', '.join(missing)} than "
            f"{PARENTS} holds. Fetch those of the run: restore params.yaml and parents.lock, and "
            "run `dvc repro download`."
        )
    plan = ParentModels(parents).plan(row.recipe)
    weights_hash = write_model(plan, folder, shard_bytes=int(params.merge.shard_gb * 1e9))
    if row.weights_hash not in (None, weights_hash):
        raise LineageError(
            f"model {row.name}: merged again, its weights hash to {weights_hash[:16]}; those of "
            f"the lineage to {str(row.weights_hash)[:16]}. The lineage is of another version of "
            "germline: run `dvc repro` to make it again."
        )
    return folder


def _known(row: Row, parents: Parents) -> Iterator[str]:
    hashes = {parent.hash for parent in parents}
    return (ancestor.name for ancestor in row.recipe.ancestors if ancestor.id in hashes)
