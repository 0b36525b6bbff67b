"""Which tensor of each model stands for which tensor of the child, and which are only copied.

The child has the first model's tensors, no more and no less. Every tensor of the others is merged
into one of them, passed over by a rule stated here, or an error. The first model is the frame.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from stages.checkpoint.config_differences import Differences, differences
from stages.checkpoint.reader import Checkpoint
from stages.merge.architecture.components import is_buffer
from stages.merge.architecture.layout import Layout, layout_of
from stages.merge.architecture.tied_weights import equal_twin, stand_in, tied_twin

Complaint = tuple[str, str]  # a tensor, and what is wrong with it
_WIDTHS = ("hidden_size ", "text_config.hidden_size ", "n_embd ", "d_model ")


@dataclass(frozen=True, slots=True)
class Known:
    """One of the models: its checkpoint, its layout, and what messages call it."""

    model: Checkpoint
    layout: Layout
    label: str


def known(model: Checkpoint, label: str) -> Known:
    """Return a model with its layout."""
    return Known(model, layout_of(model), label)


def is_copied(name: str, frame: Known, modules: Collection[str] = ()) -> bool:
    """Return whether a tensor of the frame is copied, and no other model is asked for it."""
    layout = frame.layout
    kept = layout.is_kept(name) and layout.module_of(name) not in modules
    return kept or is_buffer(name, frame.model.tensors[name].shape)


def twins_of(frame: Known, names: Iterable[str]) -> dict[str, str]:
    """Return, for each tensor that the frame stores again because it is tied, what it repeats."""
    pairs = ((name, tied_twin(frame.model, frame.layout, name)) for name in names)
    return {name: twin for name, twin in pairs if twin is not None}


class Match:
    """What another model's tensors are in the frame's names; with ``modules`` merged besides."""

    def __init__(self, other: Known, frame: Known, modules: Collection[str] = ()) -> None:
        self.other = other
        self.frame = frame
        self._modules = modules
        self._is_same = other.model.tensors.keys() == frame.model.tensors.keys()

    def module_of(self, name: str) -> str:
        """Return the frame's word for the module of a tensor of the other model."""
        frame, other = self.frame.layout, self.other.layout
        module = other.module_of(name)
        return frame.main if module == other.main and module not in frame.modules else module

    def spelled(self, name: str) -> str:
        """Return what the frame calls a tensor in a layer of the other model."""
        frame_stem, other_stem = (
            ("", "") if self._is_same else self._stems.get(self.module_of(name), ("", ""))
        )
        return frame_stem + name[len(other_stem) :] if name.startswith(other_stem) else name

    def name_in(self, name: str) -> str | None:
        """Return the other model's tensor for one of the frame's, or None where it has none.

        ``model.layers.0.x`` is ``language_model.model.layers.0.x`` in a vision-language model,
        and ``transformer.h.0.x`` is ``h.0.x`` in a model saved without its head. For a head that
        is tied and not stored the embedding stands.
        """
        if self._is_same or name in self.other.model.tensors:
            return name
        frame, other = self.frame, self.other
        return self._renamed(name) or stand_in(
            other.model, other.layout, name, frame.model, frame.layout
        )

    def names_of(self, names: Iterable[str]) -> dict[str, str]:
        """Return the other model's tensors for those of the frame that it has."""
        pairs = {name: self.name_in(name) for name in names}
        return {name: other for name, other in pairs.items() if other is not None}

    def lacking(self, names: Iterable[str], twins: Mapping[str, str]) -> Iterator[Complaint]:
        """Give what of the frame the other model lacks, or has of its own where it is tied.

        ``twins`` are the frame's tensors that repeat another, with what they repeat.
        """
        known = self.names_of(names)
        for name in names:
            if name not in known:
                yield (
                    name,
                    f"{self.other.label} has none, {self.frame.label} has one. Merged models "
                    f"have the same tensors; leave {self.other.label} out.",
                )
        for name, twin in twins.items():
            if name in known and self._is_own(known[name], self.name_in(twin)):
                yield (
                    name,
                    f"{self.other.label} has one of its own, in {self.frame.label} it is tied to "
                    f"{twin}. Leave {self.other.label} out.",
                )

    def config_conflicts(self, *, layers: bool = True) -> Iterator[str]:
        """Give how weights of equal shapes mean other things in the two models, by their configs.

        Without ``layers`` their number, and lists with an entry for each, may differ. A model of
        another width is left to the shapes of its tensors, each of which is told.
        """
        facts = self._differences(layers=layers).deciding
        if facts and not any(fact.startswith(_WIDTHS) for fact in facts):
            yield (
                f"{self.other.label}: {'; '.join(facts)}. Equal weights then compute different "
                f"things; leave {self.other.label} out."
            )

    def config_notes(self, *, layers: bool = True) -> tuple[str, ...]:
        """Return a sentence on keys that differ and that transformers does not read, or none."""
        facts = self._differences(layers=layers).unknown
        where = f"config.json of {self.other.label}"
        return (f"{where}: {'; '.join(facts)}. transformers does not read this",) if facts else ()

    def _differences(self, *, layers: bool) -> Differences:
        frame, other = self.frame.model.config, self.other.model.config
        return differences(frame, other, owner=f"{self.frame.label} has", layers=layers)

    def surplus(self, names: Iterable[str], used: Collection[str]) -> Iterator[Complaint]:
        """Give what the other model has besides ``used`` that no rule passes over."""
        other = self.other
        reported: set[str] = set()  # modules: the first of their tensors stands for all
        for name in names:
            if name in used or is_buffer(name, other.model.tensors[name].shape):
                continue
            module = other.layout.module_of(name)
            kept = other.layout.is_kept(name) and module not in self._modules
            if kept and (self.frame.layout.is_composite or module in reported):
                continue
            if equal_twin(other.model, other.layout, name) in used:
                continue
            reported |= {module} if kept else set()
            advice = f"make {other.label} the base" if kept else f"leave {other.label} out"
            yield (
                name,
                f"{other.label} has one, {self.frame.label} has none: {_reason(other, name)}. "
                f"Merged models have the same tensors; {advice}.",
            )

    def _is_own(self, name: str, twin: str | None) -> bool:
        other = self.other
        return name != twin and tied_twin(other.model, other.layout, name) != twin

    def _renamed(self, name: str) -> str | None:
        """Return ``name`` with the other model's prefix, or None where it has none such."""
        tensors = self.other.model.tensors
        for frame_stem, other_stem in self._stems.values():
            if name.startswith(frame_stem) and other_stem + name[len(frame_stem) :] in tensors:
                return other_stem + name[len(frame_stem) :]
        layout = self.frame.layout
        if layout.layer_of(name) is not None:
            return None
        parts = name.split(".")
        shorter = (".".join(parts[cut:]) for cut in range(1, len(parts) - 1))
        kept, theirs_kept = layout.is_kept(name), self.other.layout.is_kept
        longer = [n for n in tensors if n.endswith(f".{name}") and theirs_kept(n) == kept]
        return next((n for n in shorter if n in tensors), longer[0] if len(longer) == 1 else None)

    @cached_property
    def _stems(self) -> dict[str, tuple[str, str]]:
        """The prefixes of the modules that both have, in the frame's words, the main one first."""
        frame, other = self.frame.layout, self.other.layout
        pairs = {frame.main: frame.main if frame.main in other.modules else other.main}
        pairs |= {m: m for m in frame.modules if m in other.modules and m != frame.main}
        stems = {m: (frame.stem_of(m), other.stem_of(t)) for m, t in pairs.items()}
        return {m: (a, b) for m, (a, b) in stems.items() if a is not None and b is not None}


def _reason(other: Known, name: str) -> str:
    if other.layout.is_kept(name):
        return f"it is of the module {other.layout.module_of(name)}"
    if name in other.layout.vocabulary:
        return "its head is tied to its embedding"
    return "it is another architecture"
