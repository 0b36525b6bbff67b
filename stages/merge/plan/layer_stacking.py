"""What each tensor of the child is made of: slices stacked, layers renumbered, tensors matched.

What stands before the layers comes from the first slice, what stands after them from the last.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stages.checkpoint.reader import Checkpoint
from stages.hashing import nearest
from stages.merge.architecture.child_config import HALVES, Origins, is_halved
from stages.merge.architecture.layout import Layout
from stages.merge.architecture.tensor_matching import known
from stages.merge.mergekit.schema import Config, Input, Module, Reference, Slice, Values
from stages.merge.plan.module_layers import Modules
from stages.merge.plan.outside_layers import Outside

Fault = Callable[[str], None]
Units = Sequence[Mapping[str, str]]  # for each input: {name in the child: name in its model}


@dataclass(frozen=True, slots=True)
class Row:
    """One tensor of the child: its name in each of the ``inputs``, and its place ``t`` in [0, 1].

    ``t`` is the layer's place in its slice: 0 in the first layer, 1 in the last. ``is_in_layer``
    is False for what stands before the layers or after them. ``key`` is the name by which values
    are found: a tied head that is stored has those of its embedding. With ``is_copied`` the only
    input gives the tensor as it is.
    """

    name: str
    names: tuple[str, ...]
    inputs: tuple[Input, ...]
    where: str
    key: str = ""
    base: Reference | None = None
    levels: tuple[Values, ...] = ()  # of the slice, the module and the document
    t: float = 0.0
    is_in_layer: bool = False
    is_copied: bool = False


@dataclass(frozen=True, slots=True)
class Stack:
    """The child's rows, and of each of its layers the model and the layer that come first.

    ``origins`` are what config.json describes: those of the main module, or of each half of an
    encoder-decoder whose layers changed.
    """

    rows: tuple[Row, ...]
    origins: Mapping[str, Origins]


def stack(
    config: Config, models: Mapping[Reference, Checkpoint], *, adds_base: bool, fault: Fault
) -> Stack:
    """Return what the child of ``config`` is made of; what does not fit together is a fault.

    ``adds_base``: a base that a list of whole models leaves out comes last among them.
    """
    reference = config.references[0]
    frame = known(models[reference], str(reference))
    parts = _parts(config, frame.layout, fault)
    merged = [name for name, _ in parts]
    met = {r: Modules(model, str(r), frame, merged) for r, model in models.items()}
    outside = Outside(frame, merged, met, fault)
    found: list[Row] = []
    origins: dict[str, Origins] = {}
    for name, module in parts:
        used = {i.model for s in module.slices for i in s.inputs} | {reference}
        used |= {config.base} if config.base and adds_base else set()
        lacking = sorted(str(r) for r in used if not met[r].has(name))
        if lacking:
            text = f"{', '.join(lacking)} has no module {name}, {reference} has it."
            fault(f"{module.where}: {text} Merged models are of one kind.")
            continue
        for r in sorted(used, key=str):
            met[r].match.check_heads(lambda message: fault(f"{config.where}{message}"))
        builder = _Builder(config, name, met, outside, fault)
        built, origin = builder.build(module, adds_base=adds_base)
        found += built
        is_moved = [n for _, n in origin] != [*range(met[reference].layers(name).num_layers)]
        problem = _why_fixed(name, met[reference], origin) if is_moved else None
        if problem:
            fault(f"{module.where}: {problem}")
        if is_moved or (name == frame.layout.main and not is_halved(frame.model.config)):
            origins[name] = origin
    outside.check_rest()
    rows = {row.name: row for row in found}
    rows |= {n: replace(rows[twin], name=n) for n, twin in outside.twins.items() if twin in rows}
    alone = Input(reference, None, {}, config.where)
    copies = [Row(n, (n,), (alone,), config.where, is_copied=True) for n in outside.copied]
    return Stack((*rows.values(), *copies), origins)


def _why_fixed(name: str, model: Modules, origin: Origins) -> str | None:
    """Return why the layers of a module cannot stand in another order; None where they can."""
    layout = model.match.frame.layout
    if layout.is_composite or len(layout.modules) == 1:
        if name == layout.main:
            return None
    elif is_halved(model.match.frame.model.config) and name in HALVES:
        own = model.layers(name).first_alone()
        if not own or [place for place, (_, layer) in enumerate(origin) if layer == 0] == [0]:
            return None
        return (
            f"layer 0 of the module {name} has what layer 1 has not, or the reverse: {own[0]}. "
            "Give layer 0 once, as the first."
        )
    return (
        f"layers of the module {name} cannot be rearranged, only those of a language model, an "
        "encoder or a decoder. Give all of them, in their order."
    )


def _parts(config: Config, frame: Layout, fault: Fault) -> list[tuple[str, Module]]:
    """Return the modules that are merged, the main one first, and what is said of each.

    The others of a composite model are copied, unless they are named.
    """
    first = config.modules[0]
    if first.name is None:
        if frame.is_composite:
            return [(frame.main, first)]
        if len(frame.modules) > 1 and not first.is_whole:
            names = ", ".join(frame.modules)
            fault(f"{first.where}: the model has the modules {names}. Give slices under modules.")
        return [(name, first) for name in frame.modules]
    said = {str(module.name): module for module in config.modules}
    legal = list(frame.modules)
    needed = {frame.main} if frame.is_composite else {*legal}
    for name in sorted(({*said} - {*legal}) | (needed - {*said})):
        problem = "no such module." if name in said else "is missing."
        advice = f"The model has {', '.join(legal)}.{nearest(name, legal) if name in said else ''}"
        fault(f"{config.where}: modules.{name}: {problem} {advice}")
    return [(name, said[name]) for name in frame.modules if name in said]


class _Builder:
    """Stacks the slices of one module."""

    def __init__(
        self,
        config: Config,
        name: str,
        models: Mapping[Reference, Modules],
        outside: Outside,
        fault: Fault,
    ) -> None:
        self._config = config
        self._name = name
        self._layers = {r: m.layers(name) for r, m in models.items()}
        self._outside = outside
        self._fault = fault

    def build(self, module: Module, *, adds_base: bool) -> tuple[list[Row], Origins]:
        slices = [self._complete(found, module, adds_base=adds_base) for found in module.slices]
        rows: list[Row] = []
        origins: list[tuple[Reference, int]] = []
        before = self._outside.units(self._name, slices[0].inputs, is_before=True)
        after = self._outside.units(self._name, slices[-1].inputs, is_before=False)
        rows += self._rows(module, slices[0], before, None, 0.0)
        for found in slices:
            for index in range(_length(found)):
                places = [_first(i) + index for i in found.inputs]
                units = [
                    self._layers[i.model].unit(layer, len(origins))
                    for i, layer in zip(found.inputs, places, strict=True)
                ]
                t = index / (_length(found) - 1) if _length(found) > 1 else 1.0
                rows += self._rows(module, found, units, len(origins), t)
                rows += self._buffers(found, places, len(origins))
                origins.append((found.inputs[0].model, places[0]))
        last = 0.0 if self._config.compat else 1.0  # MergeKit takes the first anchor here, too
        rows += self._rows(module, slices[-1], after, None, last)
        return rows, tuple(origins)

    def _complete(self, found: Slice, module: Module, *, adds_base: bool) -> Slice:
        """Return a slice whose inputs have ranges of layers that their models have."""
        base, inputs = self._config.base, list(found.inputs)
        if module.is_whole and adds_base and base and base not in [i.model for i in inputs]:
            inputs.append(Input(base, None, {}, f"{self._config.where}: base_model"))
        inputs = [self._ranged(found) for found in inputs]
        lengths = {i.layers[1] - i.layers[0] for i in inputs if i.layers}
        if len(lengths) > 1 and module.is_whole:
            text = ", ".join(f"{i.model} {_first(i) + _stop(i)}" for i in inputs)
            self._fault(f"{module.where}: numbers of layers differ: {text}. Use slices.")
            inputs = [replace(i, layers=(0, min(lengths))) for i in inputs]
        return replace(found, inputs=tuple(inputs))

    def _ranged(self, found: Input) -> Input:
        depth = self._layers[found.model].num_layers
        if found.layers is None:
            return replace(found, layers=(0, depth))
        if found.layers[1] > depth:
            self._fault(
                f"{found.where}: layer_range is {list(found.layers)}. {found.model} has layers 0 "
                f"to {depth - 1}; end the range at {depth}."
            )
        return found

    def _rows(
        self, module: Module, found: Slice, units: Units, layer: int | None, t: float
    ) -> Iterator[Row]:
        levels = (found.values, module.values, self._config.values)
        base = found.base or self._config.base
        for name in sorted({name for unit in units for name in unit}):
            names = [unit.get(name) for unit in units]
            if None in names:
                self._missing(name, found, names)
                continue
            known = tuple(n for n in names if n is not None)
            is_in_layer = layer is not None
            where = found.where
            yield Row(name, known, found.inputs, where, name, base, levels, t, is_in_layer)

    def _buffers(self, found: Slice, places: Sequence[int], stands_at: int) -> Iterator[Row]:
        """Give a layer's buffers: the base's, or the first model's where it is no source."""
        bases = (found.base, self._config.base)
        place = next((n for n, i in enumerate(found.inputs) if i.model in bases), 0)
        giver = found.inputs[place]
        named = self._layers[giver.model].buffers(places[place], stands_at)
        for name, theirs in named.items():
            yield Row(name, (theirs,), (giver,), found.where, is_copied=True)

    def _missing(self, name: str, found: Slice, names: Sequence[str | None]) -> None:
        pairs = list(zip(found.inputs, names, strict=True))
        lack = ", ".join(dict.fromkeys(str(i.model) for i, n in pairs if n is None))
        have = ", ".join(dict.fromkeys(str(i.model) for i, n in pairs if n is not None))
        self._fault(
            f"{found.where}, tensor {name}: {lack} has none, {have} has one. Merged models have "
            "the same tensors; leave one of them out."
        )


def _first(found: Input) -> int:
    return found.layers[0] if found.layers else 0


def _stop(found: Input) -> int:
    return found.layers[1] if found.layers else 0


def _length(found: Slice) -> int:
    return min((_stop(i) - _first(i) for i in found.inputs), default=0)
