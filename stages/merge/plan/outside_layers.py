"""What stands outside the layers: the frame's tensors, and those that other models have."""

from collections.abc import Iterator, Mapping, Sequence

from stages.merge.architecture.tensor_matching import Complaint, is_copied, twins_of
from stages.merge.plan.renumbered_layers import Modules


class Outside:
    """The frame's tensors that are in no layer of a ``merged`` module.

    ``copied`` are those that no other model is asked for; ``twins`` are those that repeat another
    because they are tied, with what they repeat. ``models`` are the ancestors, the frame first.
    """

    def __init__(self, merged: Sequence[str], models: Mapping[int, Modules]) -> None:
        frame = models[0].match.other
        self._layout = frame.layout
        self._models = models
        self._asked: dict[tuple[int, bool, str], list[str]] = {}
        names = [name for name in frame.model.tensors if not models[0].is_stacked(name)]
        self.copied = [name for name in names if is_copied(name, frame, merged)]
        self._names = [name for name in names if not is_copied(name, frame, merged)]
        self.twins = twins_of(frame, self._names)

    def of_module(
        self, module: str, places: Sequence[int], *, is_before: bool
    ) -> list[Mapping[str, str]]:
        """Return each model's tensors before or after a module's layers, by the child's names."""
        names = [
            name
            for name in self._names
            if (self._layout.module_of(name) or self._layout.main) == module
            and self._layout.is_before(name) == is_before
        ]
        single = [name for name in names if name not in self.twins]
        for index in places:
            self._asked[index, is_before, module] = names
        return [self._models[index].match.names_of(single) for index in places]

    def complaints(self) -> Iterator[Complaint]:
        """Give what the models that were asked lack, or have besides what rules pass over."""
        for (index, _, _), names in self._asked.items():
            twins = {name: twin for name, twin in self.twins.items() if name in names}
            yield from self._models[index].match.lacking(names, twins)
        for index, is_before in dict.fromkeys((p, b) for p, b, _ in self._asked):
            model = self._models[index]
            match = model.match
            rest = [
                name
                for name in match.other.model.tensors
                if not model.is_stacked(name) and match.other.layout.is_before(name) == is_before
            ]
            yield from match.surplus(rest, {*match.names_of(self._names).values()})
