"""What each tensor of the child is made of: slices stacked, layers renumbered, tensors matched.

What stands before the layers comes from the first slice, what stands after them from the last.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stages.hashing import nearest
from stages.merge.config.layers import Layers, Modules
from stages.merge.config.schema import Config, Input, Module, Reference, Slice, Values

Fault = Callable[[str], None]
Units = Sequence[Mapping[str, str]]  # for each input: {name in the child: name in its model}


@dataclass(frozen=True, slots=True)
class Row:
    """One tensor of the child: its name in each of the ``inputs``, and its place ``t`` in [0, 1].

    ``t`` is the layer's place in its slice: 0 in the first layer, 1 in the last. ``is_in_layer``
    is False for what stands before the layers or after them.
    """

    name: str
    names: tuple[str, ...]
    inputs: tuple[Input, ...]
    base: Reference | None
    levels: tuple[Values, ...]  # of the slice, the module and the document
    where: str
    t: float
    is_in_layer: bool


@dataclass(frozen=True, slots=True)
class Stack:
    """The child's rows, and of each of its layers the model and the layer that come first.

    ``origins`` are those of the main module, which config.json describes.
    """

    rows: tuple[Row, ...]
    origins: tuple[tuple[Reference, int], ...]


def stack(
    config: Config, models: Mapping[Reference, Modules], *, adds_base: bool, fault: Fault
) -> Stack:
    """Return what the child of ``config`` is made of; what does not fit together is a fault.

    ``adds_base``: a base that a list of whole models leaves out comes last among them.
    """
    frame = models[config.references[0]]
    parts = _parts(config, frame, fault)
    found = []
    for place, (name, module) in enumerate(parts):
        used = {i.model for s in module.slices for i in s.inputs} | {config.references[0]}
        used |= {r for r in config.references if r == config.base}
        lacking = sorted(str(r) for r in used if name not in models[r].modules)
        if lacking:
            text = f"{', '.join(lacking)} has no module {name}, {config.references[0]} has it."
            fault(f"{module.where}: {text} Merged models are of one kind.")
            continue
        layers = {reference: models[reference].layers(name) for reference in used}
        found.append(_Builder(config, layers, fault).build(module, adds_base=adds_base))
        if place and [layer for _, layer in found[-1].origins] != list(
            range(layers[config.references[0]].num_layers)
        ):
            fault(f"{module.where}: only the layers of module {parts[0][0]} can be rearranged.")
    rows = tuple(row for part in found for row in part.rows)
    return Stack(rows, found[0].origins if found else ())


def _parts(config: Config, frame: Modules, fault: Fault) -> list[tuple[str, Module]]:
    """Return the modules of the child, the main one first, and what is said of each."""
    first = config.modules[0]
    if first.name is None:
        if len(frame.modules) > 1 and not first.is_whole:
            names = ", ".join(frame.modules)
            fault(f"{first.where}: the model has the modules {names}. Give slices under modules.")
        return [(name, first) for name in frame.modules]
    said = {str(module.name): module for module in config.modules}
    for name in sorted({*said} ^ {*frame.modules}):
        legal = list(frame.modules)
        problem = "no such module." if name in said else "is missing."
        advice = f"The model has {', '.join(legal)}.{nearest(name, legal) if name in said else ''}"
        fault(f"{config.where}: modules.{name}: {problem} {advice}")
    return [(name, said[name]) for name in frame.modules if name in said]


class _Builder:
    """Stacks the slices of one module."""

    def __init__(self, config: Config, models: Mapping[Reference, Layers], fault: Fault) -> None:
        self._config = config
        self._models = models
        self._fault = fault
        self._frame = models[config.references[0]]

    def build(self, module: Module, *, adds_base: bool) -> Stack:
        slices = [self._complete(found, module, adds_base=adds_base) for found in module.slices]
        rows: list[Row] = []
        origins: list[tuple[Reference, int]] = []
        before, after = self._outside(slices[0], "before"), self._outside(slices[-1], "after")
        rows += self._rows(module, slices[0], before, None, 0.0)
        for found in slices:
            for index in range(_length(found)):
                places = [_first(i) + index for i in found.inputs]
                units = [
                    self._models[i.model].unit(layer, len(origins))
                    for i, layer in zip(found.inputs, places, strict=True)
                ]
                t = index / (_length(found) - 1) if _length(found) > 1 else 1.0
                rows += self._rows(module, found, units, len(origins), t)
                origins.append((found.inputs[0].model, places[0]))
        last = 0.0 if self._config.compat else 1.0  # MergeKit takes the first anchor here, too
        rows += self._rows(module, slices[-1], after, None, last)
        return Stack(tuple(rows), tuple(origins))

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
        depth = self._models[found.model].num_layers
        if found.layers is None:
            return replace(found, layers=(0, depth))
        if found.layers[1] > depth:
            self._fault(
                f"{found.where}: layer_range is {list(found.layers)}. {found.model} has layers 0 "
                f"to {depth - 1}; end the range at {depth}."
            )
        return found

    def _outside(self, found: Slice, side: str) -> Units:
        """Return the tensors of a slice's models that stand before, or after, the layers."""
        if side == "before":
            return [{n: n for n in self._models[i.model].before} for i in found.inputs]
        return [self._after(i) for i in found.inputs]

    def _after(self, found: Input) -> Mapping[str, str]:
        """Return a model's tensors after the layers, with a head exactly if the frame has one."""
        model, head = self._models[found.model], self._frame.head
        names = {name: name for name in model.after}
        if head is None and model.head is not None:
            if model.tied_head is None:
                self._fault(
                    f"{found.where}: {found.model} has a head of its own, the child's is tied to "
                    f"its embedding, as in {self._config.references[0]}. Leave the model out, or "
                    "name a base_model that has a head."
                )
            del names[model.head]
        if head is not None and model.head is None and model.tied_head is not None:
            names[head] = model.tied_head
        return names

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
            yield Row(name, known, found.inputs, base, levels, found.where, t, is_in_layer)

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
