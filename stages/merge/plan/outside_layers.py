"""What stands outside the layers: the frame's tensors, and those that other models have."""

from collections.abc import Callable, Mapping, Sequence

from stages.merge.architecture.tensor_matching import Known, is_copied, twins_of
from stages.merge.mergekit.schema import Input, Reference
from stages.merge.plan.module_layers import Modules

Fault = Callable[[str], None]


class Outside:
    """The frame's tensors that are in no layer of a ``merged`` module.

    ``copied`` are those that no other model is asked for; ``twins`` are those that repeat another
    because they are tied, with what they repeat.
    """

    def __init__(
        self,
        frame: Known,
        merged: Sequence[str],
        models: Mapping[Reference, Modules],
        fault: Fault,
    ) -> None:
        self._layout = frame.layout
        self._models = models
        self._fault = fault
        self._asked: dict[tuple[Reference, bool], str] = {}
        frame_match = Modules(frame.model, frame.label, frame, merged)
        names = [n for n in frame.model.tensors if not frame_match.is_stacked(n)]
        self.copied = [name for name in names if is_copied(name, frame, merged)]
        self._names = [name for name in names if not is_copied(name, frame, merged)]
        self.twins = twins_of(frame, self._names)

    def units(
        self, module: str, inputs: Sequence[Input], *, is_before: bool
    ) -> list[Mapping[str, str]]:
        """Return, for each input, its tensors before or after a module's layers, by the child's.

        What an input lacks, or has of its own where the frame's are tied, is a fault.
        """
        names = [
            name
            for name in self._names
            if (self._layout.module_of(name) or self._layout.main) == module
            and self._layout.is_before(name) == is_before
        ]
        twins = {name: twin for name, twin in self.twins.items() if name in names}
        found: list[Mapping[str, str]] = []
        for given in inputs:
            where = self._asked.setdefault((given.model, is_before), given.where)
            match = self._models[given.model].match
            theirs = match.found(names, twins, self._fault_at(where))
            found.append({name: t for name, t in theirs.items() if name not in twins})
        return found

    def check_rest(self) -> None:
        """Check that what the models have besides is passed over by rule."""
        for (reference, is_before), where in self._asked.items():
            match = self._models[reference].match
            layout = match.other.layout
            rest = [
                name
                for name in match.other.model.tensors
                if not self._models[reference].is_stacked(name)
                and layout.is_before(name) == is_before
            ]
            used = {theirs for name in self._names if (theirs := match.name_in(name))}
            match.check_rest(rest, used, self._fault_at(where))

    def _fault_at(self, where: str) -> Fault:
        return lambda text: self._fault(f"{where}{text}")
