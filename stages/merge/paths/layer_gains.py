"""Which tensors of a child carry the gains of its layers, and how."""

from collections.abc import Mapping, Sequence

from stages.checkpoint.reader import Checkpoint
from stages.errors import Faults, RecipeError
from stages.merge.architecture.layout import Layout, layout_of
from stages.merge.paths.fold_check import fold_of, has_offset_norms
from stages.merge.paths.residual_writers import writers_of
from stages.merge.paths.stream_scale import stream_folds
from stages.merge.plan.child_rows import ChildRow
from stages.merge.plan.plan import Fold
from stages.recipe.recipe import ModuleLayers

_NONE = (1.0, 1.0)
_BRANCHES = ("attention", "mlp")


def folds_of(
    rows: Sequence[ChildRow], layers: Sequence[ModuleLayers], frame: Checkpoint, faults: Faults
) -> Mapping[str, Fold]:
    """Return the folds of the child's tensors by name; what cannot be folded is a fault.

    ``layers`` say how the stream is scaled before the first layer, ``rows`` how branches are.
    Whether the frame's architecture can carry gains is tried once, on a small model of it.
    """
    folds: dict[str, Fold] = {}
    main = layout_of(frame).main
    for module in layers:
        if module.stream_scale != 1:
            with faults.at(f"module {module.module}"):
                if module.module != main:
                    raise RecipeError(f"only {main} has a stream_scale. Leave it out.")
                folds |= stream_folds(rows, frame, module.stream_scale)
    return folds | _gain_folds(rows, frame, faults)


def _gain_folds(rows: Sequence[ChildRow], frame: Checkpoint, faults: Faults) -> dict[str, Fold]:
    by_layer: dict[int, list[ChildRow]] = {}
    layout = layout_of(frame)
    for row in rows:
        if row.gains != _NONE and row.layer is not None and not row.is_copied:
            by_layer.setdefault(row.layer, []).append(row)
    folds: dict[str, Fold] = {}
    if by_layer:
        with faults.at("gains"):
            if any(row.module != layout.main for layer in by_layer.values() for row in layer):
                raise RecipeError(f"only layers of {layout.main} have gains. Leave others out.")
            has_offset = has_offset_norms(frame.config)
            for number, layer in by_layer.items():
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
