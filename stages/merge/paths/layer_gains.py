"""Which tensors of a child carry the gains of its layers, and how."""

from collections.abc import Mapping, Sequence

from stages.checkpoint.reader import Checkpoint
from stages.errors import Faults, RecipeError
from stages.merge.architecture.layout import Layout, layout_of
from stages.merge.paths.fold_check import fold_of, has_offset_norms
from stages.merge.paths.residual_writers import writers_of
from stages.merge.plan.child_rows import ChildRow
from stages.merge.plan.plan import Fold

_NONE = (1.0, 1.0)
_BRANCHES = ("attention", "mlp")


def folds_of(rows: Sequence[ChildRow], frame: Checkpoint, faults: Faults) -> Mapping[str, Fold]:
    """Return the folds of the child's tensors by name; what cannot be folded is a fault.

    Whether the frame's architecture can carry gains is tried once, on a small model of it.
    """
    layers: dict[int, list[ChildRow]] = {}
    layout = layout_of(frame)
    for row in rows:
        if row.gains != _NONE and row.layer is not None and not row.is_copied:
            layers.setdefault(row.layer, []).append(row)
    folds: dict[str, Fold] = {}
    if layers:
        with faults.at("gains"):
            if any(row.module != layout.main for layer in layers.values() for row in layer):
                raise RecipeError(f"only layers of {layout.main} have gains. Leave others out.")
            has_offset = has_offset_norms(frame.config)
            for number, layer in layers.items():
                with faults.at(f"layer {number}"):
                    folds |= _of_layer(layer, layout, has_offset=has_offset)
    return folds


def _of_layer(rows: Sequence[ChildRow], layout: Layout, *, has_offset: bool) -> dict[str, Fold]:
    gains = dict(zip(_BRANCHES, rows[0].gains, strict=True))
    inner = {row.name: layout.inner(row.name) for row in rows}
    writers = writers_of(inner.values())
    has = {writer.branch for writer in writers.values()}
    for branch in _BRANCHES:
        if gains[branch] != 1 and branch not in has:
            raise RecipeError(
                f"{branch}_gain is {gains[branch]:g}, and the layer has no such branch: it has "
                f"{' and '.join(sorted(has)) or 'none'}. Leave the gain out."
            )
    folds: dict[str, Fold] = {}
    for name, short in inner.items():
        writer = writers.get(short)
        if writer is not None and gains[writer.branch] != 1:
            folds[name] = fold_of(writer, gains[writer.branch], name, has_offset=has_offset)
    return folds
