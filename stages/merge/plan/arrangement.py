"""Which ancestor gives which layer of the child: what a recipe says of that, made complete."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.errors import Faults
from stages.hashing import nearest
from stages.merge.architecture.child_config import Origins, is_halved
from stages.merge.architecture.layer_stacks import HALVES
from stages.merge.architecture.layout import Layout
from stages.merge.plan.renumbered_layers import Modules
from stages.recipe.recipe import ModuleLayers, Recipe, Slice, Span


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The part of a recipe that decides which tensors are merged, whatever the values are."""

    labels: tuple[str, ...]  # what messages call the ancestors
    base: int | None
    parents: tuple[int, ...]
    layers: tuple[ModuleLayers, ...]
    modules: tuple[str, ...]

    @classmethod
    def of(cls, recipe: Recipe) -> "Arrangement":
        """Return the arrangement of a recipe."""
        labels = tuple(ancestor.name for ancestor in recipe.ancestors)
        return cls(labels, recipe.base, recipe.parents, recipe.layers, recipe.modules)

    @property
    def is_whole(self) -> bool:
        """Whether whole models are merged, in whose layers nothing changes its place."""
        return not self.layers

    @property
    def sources(self) -> tuple[int, ...]:
        """The base of whole models, if there is one, then their parents."""
        return self.parents if self.base is None else (self.base, *self.parents)

    def merged_modules(self, frame: Layout) -> tuple[str, ...]:
        """Return the modules that are merged, in the order of the frame's; others are copied."""
        if not self.is_whole:
            listed = [part.module for part in self.layers]
            return tuple(name for name in frame.modules if name in listed)
        if not frame.is_composite:
            return frame.modules
        return tuple(n for n in frame.modules if n == frame.main or n in self.modules)

    def check(self, frame: Layout, faults: Faults) -> None:
        """Find what cannot be met by any models of the frame's kind."""
        if self.is_whole:
            with faults.at(""):
                frame.check_modules(self.modules, self.labels[0])
            return
        listed = [part.module for part in self.layers]
        legal = list(frame.modules)
        needed = {frame.main} if frame.is_composite else {*legal}
        for name in sorted(({*listed} - {*legal}) | (needed - {*listed})):
            problem = "no such module." if name in listed else "is missing."
            hint = nearest(name, legal) if name in listed else ""
            with faults.at(f"modules.{name}"):
                faults.add(f"{problem} The model has {', '.join(legal)}.{hint}")

    def slices(self, name: str, models: Mapping[int, Modules], faults: Faults) -> Sequence[Slice]:
        """Return the slices of a module; of whole models it is one that holds all layers."""
        if not self.is_whole:
            named = next(part.slices for part in self.layers if part.module == name)
            for number, part in enumerate(named):
                with faults.at(place_of(self, name, number)):
                    _check_spans(part, name, models, faults)
            own = models[0].layers(name).num_layers
            if own and not any(span.length for part in named for span in part.spans):
                faults.add(f"module {name}: its slices hold no layers. Give at least one layer.")
            return named
        places = [index for index in dict.fromkeys((0, *self.sources)) if models[index].has(name)]
        depths = {index: models[index].layers(name).num_layers for index in places}
        if len({*depths.values()}) > 1:
            text = ", ".join(f"{models[index].label} {depth}" for index, depth in depths.items())
            faults.add(f"numbers of layers differ: {text}. Use slices.")
        depth = min(depths.values())
        spans = tuple(Span(index, 0, depth) for index in self.parents)
        return (Slice(spans, None if self.base is None else Span(self.base, 0, depth)),)


def place_of(arrangement: Arrangement, module: str, number: int) -> str:
    """Return how messages call a slice; whole models have none to name."""
    return "" if arrangement.is_whole else slice_name(module, number)


def slice_name(module: str, number: int) -> str:
    """Return how messages call a slice of a recipe's layers."""
    return f"module {module}, slice {number}"


def common_length(part: Slice, name: str, models: Mapping[int, Modules]) -> int:
    """Return how many layers a slice has that every one of its spans finds in its model."""
    if any(span.first < 0 for span in part.spans):
        return 0
    depths = [models[span.ancestor].layers(name).num_layers for span in part.spans]
    return min(
        min(span.stop, depth) - span.first for span, depth in zip(part.spans, depths, strict=True)
    )


def why_fixed(name: str, model: Modules, origins: Origins) -> str | None:
    """Return why the layers of a module cannot stand in another order; None where they can."""
    layout = model.match.frame.layout
    if layout.is_composite or len(layout.modules) == 1:
        if name == layout.main:
            return None
    elif is_halved(model.match.frame.model.config) and name in HALVES:
        own = model.layers(name).first_alone()
        if not own or [index for index, (_, layer) in enumerate(origins) if layer == 0] == [0]:
            return None
        return (
            f"layer 0 of the module {name} has what layer 1 has not, or the reverse: {own[0]}. "
            "Give layer 0 once, as the first."
        )
    return (
        f"layers of the module {name} cannot be rearranged, only those of a language model, an "
        "encoder or a decoder. Give all of them, in their order."
    )


def _check_spans(part: Slice, name: str, models: Mapping[int, Modules], faults: Faults) -> None:
    if len({span.length for span in part.spans}) > 1:
        text = ", ".join(f"[{span.first}, {span.stop}]" for span in part.spans)
        faults.add(f"layers are {text}. Give spans of one length.")
    for span in part.spans:
        model = models[span.ancestor]
        depth = model.layers(name).num_layers
        if not 0 <= span.first <= span.stop <= depth:
            faults.add(
                f"layers are [{span.first}, {span.stop}]. {model.label} has layers 0 to "
                f"{depth - 1}; give [first, last + 1] within them."
            )
