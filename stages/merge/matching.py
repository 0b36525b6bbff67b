"""Which tensor of each model stands for which tensor of the child, and which are only copied.

The child has the first model's tensors, no more and no less. Every tensor of the others is merged
into one of them, passed over by a rule stated here, or an error.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from stages.checkpoint import Checkpoint
from stages.errors import RecipeError
from stages.merge.components import is_buffer
from stages.merge.heads import stand_in, tied_twin
from stages.merge.layout import Layout, layout_of
from stages.merge.stacks import text_section

_HEADS = ("num_attention_heads", "num_key_value_heads", "n_head", "num_heads")


@dataclass(frozen=True, slots=True)
class Known:
    """One of the models: its checkpoint, its layout, and what messages call it."""

    model: Checkpoint
    layout: Layout
    label: str


def source_names(
    models: Sequence[Checkpoint],
    labels: Sequence[str],
    where: str,
    modules: Collection[str] = (),
) -> Mapping[str, tuple[str, ...]]:
    """Return, for each merged tensor of the first model, its name in every model, sorted.

    A tensor that is not among them is copied from the first model: a buffer, and what is not the
    language model of a composite model, unless ``modules`` names its module. Where the first
    model's head is tied, another's own head is passed over if it equals its embedding. Models may
    differ in the prefix of their names, as a language model and a vision-language model do.

    Raises:
        RecipeError: a model lacks a tensor, has one too many, or has an untied head of its own;
            or there is no such module.
    """
    frame = Known(models[0], layout_of(models[0]), labels[0])
    frame.layout.check_modules(modules, where, frame.label)
    names = [name for name in models[0].tensors if not _is_copied(name, frame, modules)]
    canon = {name: tied_twin(frame.model, frame.layout, name) or name for name in names}
    rows = {name: [canon[name]] for name in names}
    for model, label in zip(models[1:], labels[1:], strict=True):
        same = model.tensors.keys() == models[0].tensors.keys()
        other = Known(model, frame.layout if same else layout_of(model), label)
        _check_heads(other, frame, where)
        found = {n: n if same else _name_in(other, n, frame, where) for n in names}
        _check_rest(other, frame, found, modules, where)
        for name, row in rows.items():
            theirs = found[name]
            is_tied = canon[name] != name  # then the child's must come out equal too
            row.append((is_tied and tied_twin(model, other.layout, theirs)) or theirs)
    return {name: tuple(row) for name, row in rows.items()}


def _is_copied(name: str, frame: Known, modules: Collection[str]) -> bool:
    layout = frame.layout
    kept = layout.is_kept(name) and layout.module_of(name) not in modules
    return kept or is_buffer(name, frame.model.tensors[name].shape)


def _check_heads(other: Known, frame: Known, where: str) -> None:
    """Check that rows of equal matrices belong to the same attention heads."""
    mine, theirs = text_section(frame.model.config), text_section(other.model.config)
    for key in _HEADS:
        if key in mine and key in theirs and mine[key] != theirs[key]:
            raise RecipeError(
                f"{where}: {other.label} has {key} {theirs[key]}, {frame.label} has {mine[key]}. "
                f"Equal shapes then mean different heads; leave {other.label} out."
            )


def _name_in(other: Known, name: str, frame: Known, where: str) -> str:
    """Return the tensor of ``other`` that stands for ``name`` of the first model."""
    found = _renamed(other, name, frame)
    if found is None:
        found = stand_in(other.model, other.layout, name, frame.model, frame.layout)
    if found is None:
        raise RecipeError(
            f"{where}, tensor {name}: {other.label} has none, {frame.label} has one. Merged "
            f"models have the same tensors; leave {other.label} out."
        )
    return found


def _renamed(other: Known, name: str, frame: Known) -> str | None:
    """Return ``name`` with the prefix that ``other`` gives its names, or None if it has none such.

    ``model.layers.0.x`` is ``language_model.model.layers.0.x`` in a vision-language model, and
    ``transformer.h.0.x`` is ``h.0.x`` in a model saved without its head.
    """
    tensors = other.model.tensors
    if name in tensors:
        return name
    for mine, theirs in _stems(frame.layout, other.layout):
        if name.startswith(mine) and theirs + name[len(mine) :] in tensors:
            return theirs + name[len(mine) :]
    if frame.layout.layer_of(name) is not None:
        return None
    parts = name.split(".")
    shorter = (".".join(parts[cut:]) for cut in range(1, len(parts) - 1))
    kept = frame.layout.is_kept(name)
    longer = [n for n in tensors if n.endswith(f".{name}") and other.layout.is_kept(n) == kept]
    return next((n for n in shorter if n in tensors), longer[0] if len(longer) == 1 else None)


def _stems(frame: Layout, other: Layout) -> list[tuple[str, str]]:
    """Return the prefixes of the modules that both have, the main ones first."""
    pairs = [(frame.main, other.main)]
    pairs += [(m, m) for m in frame.modules if m in other.modules and m != frame.main]
    stems = [(frame.stem_of(mine), other.stem_of(theirs)) for mine, theirs in pairs]
    return [(mine, theirs) for mine, theirs in stems if mine is not None and theirs is not None]


def _check_rest(
    other: Known,
    frame: Known,
    found: Mapping[str, str],
    modules: Collection[str],
    where: str,
) -> None:
    """Check that what ``other`` has besides is passed over by rule."""
    used = set(found.values())
    for name, info in other.model.tensors.items():
        if name in used or is_buffer(name, info.shape):
            continue
        kept = other.layout.is_kept(name) and other.layout.module_of(name) not in modules
        if kept and frame.layout.is_composite:
            continue
        if tied_twin(other.model, other.layout, name) in used:
            continue
        raise RecipeError(
            f"{where}, tensor {name}: {other.label} has one, {frame.label} has none: "
            f"{_reason(other, name)}. Merged models have the same tensors; {_advice(other, kept)}."
        )


def _reason(other: Known, name: str) -> str:
    if other.layout.is_kept(name):
        return f"it is of the module {other.layout.module_of(name)}"
    if name in other.layout.vocabulary:
        return "its head is tied to its embedding"
    return "it is another architecture"


def _advice(other: Known, kept: bool) -> str:
    return f"make {other.label} the base" if kept else f"leave {other.label} out"
