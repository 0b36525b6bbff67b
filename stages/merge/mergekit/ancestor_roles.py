"""What a document's models are to its recipe: base, parents, and which of their layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stages.checkpoint.reader import Checkpoint
from stages.errors import Faults
from stages.hashing import nearest
from stages.merge.architecture.layout import Layout
from stages.merge.architecture.tensor_matching import known
from stages.merge.mergekit.method_spellings import Role
from stages.merge.mergekit.schema import Config, Input, Module, SliceSection
from stages.merge.plan.renumbered_layers import Modules
from stages.recipe.model_reference import ModelReference
from stages.recipe.recipe import ModuleLayers, Slice, Span


@dataclass(frozen=True, slots=True)
class Roles:
    """A slice of a document with its inputs as the method takes them, ranges filled in."""

    source: SliceSection
    base: Input | None
    parents: tuple[Input, ...]
    module: Module

    @property
    def num_layers(self) -> int:
        """The number of the child's layers that the slice gives."""
        return min(i.layers[1] - i.layers[0] for i in self.parents if i.layers)


class Ancestors:
    """The models of a document, the frame first, and their roles in each slice."""

    def __init__(
        self,
        config: Config,
        models: Mapping[ModelReference, Checkpoint],
        role: Role,
        faults: Faults,
    ) -> None:
        self._config = config
        self._role = role
        self._faults = faults
        self.references = config.references
        self.models = [models[reference] for reference in self.references]
        frame = known(self.models[0], str(self.references[0]))
        self.layout: Layout = frame.layout
        parts = self._parts()
        merged = [name for name, _ in parts]
        self._modules = {
            reference: Modules(model, str(reference), frame, merged)
            for reference, model in zip(self.references, self.models, strict=True)
        }
        self.roles: dict[str, list[Roles]] = {}
        for name, module in parts:
            slices = (self._roles(name, module, part) for part in module.slices)
            self.roles[name] = [part for part in slices if part is not None]

    def layers(self) -> tuple[ModuleLayers, ...]:
        """Return the layers of every module as a recipe names them."""
        return tuple(
            ModuleLayers(name, tuple(self._slice(part) for part in parts))
            for name, parts in self.roles.items()
        )

    def whole(self) -> tuple[int | None, tuple[int, ...]] | None:
        """Return the base and the parents where all modules merge whole models; else None."""
        parts = [part for parts in self.roles.values() for part in parts]
        roles = {(self._place(part.base), *map(self._place, part.parents)) for part in parts}
        if len(roles) != 1 or not all(part.module.is_whole for part in parts):
            return None
        base, *parents = roles.pop()
        return base, tuple(index for index in parents if index is not None)

    def _place(self, source: Input | None) -> int | None:
        return None if source is None else self.references.index(source.model)

    def _slice(self, part: Roles) -> Slice:
        base = None if part.base is None else self._span(part.base)
        return Slice(tuple(map(self._span, part.parents)), base)

    def _span(self, source: Input) -> Span:
        first, stop = source.layers or (0, 0)
        return Span(self.references.index(source.model), first, stop)

    def _parts(self) -> list[tuple[str, Module]]:
        """Return the modules that are merged, the main one first, and what is said of each.

        The others of a composite model are copied, unless they are named.
        """
        config, frame = self._config, self.layout
        first = config.modules[0]
        if first.name is None:
            if frame.is_composite:
                return [(frame.main, first)]
            if len(frame.modules) > 1 and not first.is_whole:
                with self._faults.at(first.where):
                    names = ", ".join(frame.modules)
                    self._faults.add(
                        f"the model has the modules {names}. Give slices under modules."
                    )
            return [(name, first) for name in frame.modules]
        said = {str(module.name): module for module in config.modules}
        legal = list(frame.modules)
        needed = {frame.main} if frame.is_composite else {*legal}
        for name in sorted(({*said} - {*legal}) | (needed - {*said})):
            problem = "no such module." if name in said else "is missing."
            hint = nearest(name, legal) if name in said else ""
            with self._faults.at(f"{config.where}: modules.{name}"):
                self._faults.add(f"{problem} The model has {', '.join(legal)}.{hint}")
        return [(name, said[name]) for name in frame.modules if name in said]

    def _roles(self, name: str, module: Module, part: SliceSection) -> Roles | None:
        """Return a slice's inputs in their roles; None where its base is not among them."""
        config, inputs = self._config, list(part.inputs)
        is_added = module.is_whole and self._role != "frame" and config.base is not None
        if is_added and config.base and config.base not in [i.model for i in inputs]:
            inputs.append(Input(config.base, None, {}, where=f"{config.where}: base_model"))
        inputs = [self._ranged(name, given) for given in inputs]
        base = part.base or config.base
        if base is None or self._role not in ("apart", "first"):
            return Roles(part, None, tuple(inputs), module)
        position = next((i for i, given in enumerate(inputs) if given.model == base), None)
        if position is None:
            with self._faults.at(part.where):
                self._faults.add(
                    f"the base {base} is not among the sources. Add it, with the layers that the "
                    "child's are compared with."
                )
            return None
        own = inputs.pop(position)
        if self._role == "first":
            return Roles(part, None, (own, *inputs), module)
        if not inputs:
            with self._faults.at(part.where):
                self._faults.add("no model but the base. Add a model that is merged into it.")
            return None
        return Roles(part, own, tuple(inputs), module)

    def _ranged(self, name: str, source: Input) -> Input:
        depth = self._modules[source.model].layers(name).num_layers
        if source.layers is None:
            return replace(source, layers=(0, depth))
        if source.layers[1] > depth:
            with self._faults.at(source.where):
                self._faults.add(
                    f"layer_range is {list(source.layers)}. {source.model} has layers 0 to "
                    f"{depth - 1}; end the range at {depth}."
                )
        return source


def base_inputs(
    roles: Mapping[str, Sequence[Roles]], role: Role, base: ModelReference
) -> list[Input]:
    """Return the inputs that are a base, whose values no method reads."""
    parts = [part for parts in roles.values() for part in parts]
    if role == "apart":
        return [part.base for part in parts if part.base is not None]
    if role == "first":
        return [part.parents[0] for part in parts if part.parents[0].model == base]
    return []
