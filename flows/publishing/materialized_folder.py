"""A model of the run as a folder: weights, files, a card with scores, and MergeKit's YAML."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows.merging.kept_weights import kept_weights
from flows.merging.merge_job import bytes_bar
from flows.merging.merge_recipe import mergekit_text
from flows.merging.project_plan import project_plan
from flows.publishing.run_model import RunModel
from flows.publishing.scored_card import sections
from stages.checkpoint.staging_folder import staged
from stages.errors import CheckpointError, LineageError, RecipeError, at
from stages.files import check_room
from stages.licences import CARD, remarks
from stages.merge.outputs.model_card import card, licences_in
from stages.merge.outputs.model_folder import copy_model, write_model
from stages.merge.outputs.preview import bytes_written
from stages.merge.plan.plan import Plan
from stages.params.merge_params import MergeParams

MERGEKIT = "mergekit.yml"


@dataclass(frozen=True, slots=True)
class Materialized:
    """What was written. ``mergekit`` is a file's name, or None: ``why_not`` then says why."""

    out: str
    name: str
    kind: str
    id: str
    weights_hash: str
    mergekit: str | None
    why_not: str | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {**asdict(self), "notes": list(self.notes)}


def materialize(
    model: RunModel, out: Path, merge: MergeParams, loaded_from: str | None = None
) -> Materialized:
    """Write a model of the run in the working directory to the new folder ``out``.

    ``loaded_from`` is what its card says that loads it; without one, the folder's name.

    Raises:
        GermlineError: ``out`` is there, or the recipe cannot be merged or gives other weights than
            those that were scored; nothing is written then.
    """
    check_new(out)
    with at(f"model {model.name}"):
        plan = project_plan(model.recipe, merge)
        check_room({out: bytes_written(plan)})
    with staged(out) as folder:
        weights_hash = _write(plan, folder, int(merge.shard_gb * 1e9))
        if weights_hash != model.weights_hash:
            raise LineageError(
                f"model {model.name}: merged again, its weights hash to {weights_hash[:16]}; "
                f"those that were scored to {model.weights_hash[:16]}. Nothing is written. "
                "`germline audit` says what differs."
            )
        more = sections(model, plan, loaded_from or out.name)
        (folder / CARD).write_text(card(plan, weights_hash, more), encoding="utf-8")
        why_not = _write_mergekit(plan, folder / MERGEKIT)
        check_new(out)  # somebody may have taken the name meanwhile
    return Materialized(
        out=str(out),
        name=model.name,
        kind=model.kind,
        id=plan.id,
        weights_hash=weights_hash,
        mergekit=MERGEKIT if why_not is None else None,
        why_not=why_not,
        notes=tuple(remarks(licences_in(plan))),
    )


def check_new(out: Path) -> None:
    """Check that ``out`` names a folder that is not there.

    Raises:
        CheckpointError: it is there, or cannot be a folder.
    """
    if out.name in ("", "..") or out.exists() or out.is_symlink():
        kind = "is already there" if out.name not in ("", "..") else "does not name a new folder"
        raise CheckpointError(f"OUT: {str(out)!r} {kind}. Give the name of a new folder.")
    parent = next(path for path in out.absolute().parents if path.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        what = "may not be written to" if parent.is_dir() else "is not a folder"
        raise CheckpointError(
            f"OUT: {str(out)!r} cannot be made: {parent} {what}. Give another place."
        )


def _write(plan: Plan, folder: Path, shard_bytes: int) -> str:
    """Write the child, from the store where that keeps its weights; return their hash."""
    with kept_weights(plan) as child:
        if child is not None:
            return copy_model(plan, child, folder, shard_bytes=shard_bytes)
        with bytes_bar(f"merging {plan.id[:16]}", bytes_written(plan)) as note:
            return write_model(plan, folder, shard_bytes=shard_bytes, note=note)


def _write_mergekit(plan: Plan, path: Path) -> str | None:
    """Write MergeKit's YAML of the recipe; return why not, where its language cannot say it."""
    try:
        text = mergekit_text(plan)
    except RecipeError as error:
        return str(error)
    path.write_text(text, encoding="utf-8")
    return None
