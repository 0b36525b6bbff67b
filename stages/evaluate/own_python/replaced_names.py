"""Find what a task's Python set in modules of others, where it stays for all in the process."""

import functools
import sys
import types
from collections.abc import Iterator, MutableMapping
from typing import Any

from stages.errors import EvaluationError, Faults

_WRAPPED = {  # kinds of what holds a function, and where
    staticmethod: "__func__",
    classmethod: "__func__",
    types.MethodType: "__func__",
    property: "fget",
    functools.partial: "func",
}
OwnModules = MutableMapping[str, list[types.ModuleType]]  # those of each task, by its name


def refuse_replaced(modules: OwnModules) -> None:
    """Check that the tasks' own ``modules`` put nothing of theirs into other modules or classes.

    lm-eval ends after its tasks; here other tasks, candidates and germline itself would use it.
    All tasks are checked at one go: what is looked through is all that the process has loaded.

    Raises:
        EvaluationError: a name of another module is a function or class of a task's; a line for
            each task.
    """
    replaced: dict[str, set[str]] = {}
    for name, label in _replaced(modules) if any(modules.values()) else ():
        replaced.setdefault(label, set()).add(name)
    faults = Faults()
    for label in modules:
        if names := sorted(replaced.get(label, ())):
            faults.add(
                f"task {label}: its Python sets {', '.join(names[:3])}, which all tasks, models "
                "and germline itself use in this process. Let it call functions of its own "
                "instead. What is set stays until the process ends: restart a notebook."
            )
    faults.raise_as(EvaluationError)


class _Owners:
    """Tells what is of the tasks' own modules, from the hundred thousands of names of others."""

    def __init__(self, modules: OwnModules) -> None:
        listed = [(label, module) for label, own in modules.items() for module in own]
        self.ids = {id(module) for _, module in listed}
        self._by_globals = {id(vars(module)): label for label, module in listed}
        self._by_name = {module.__name__: label for label, module in listed}
        self._others: set[type] = set()  # kinds of which no value is a task's
        self.classes: dict[int, type] = {}  # of others, in the order in which they were seen

    def names(self, holder: object) -> list[tuple[str, str]]:
        """Return the names in a module or class whose values are a task's, and which: mostly none.

        Hence functions are told without a call, and classes and other kinds once each.
        """
        for value in list(vars(holder).values()):
            kind = type(value)
            if kind is types.FunctionType:
                if id(value.__globals__) in self._by_globals:
                    break
            elif kind not in self._others and id(value) not in self.classes:
                if self._of(value) is not None:
                    break
                if issubclass(kind, type):
                    self.classes[id(value)] = value
                elif kind not in _WRAPPED:
                    self._others.add(kind)
        else:
            return []
        owners = [(key, self._of(value)) for key, value in vars(holder).copy().items()]
        return [(key, label) for key, label in owners if label is not None]

    def _of(self, value: Any) -> str | None:
        """Return the task that a function or class is of, wrapped ones and instances included.

        Functions are told by their globals: ``functools.wraps`` gives them another's name and
        module. Kinds are compared, as ``isinstance`` would load what a package loads when it is
        first used.
        """
        attribute = _WRAPPED.get(type(value))
        if attribute is not None:
            value = getattr(value, attribute)
        kind = type(value)
        if kind is types.FunctionType:
            return self._by_globals.get(id(value.__globals__))
        if issubclass(kind, type):
            return self._by_name.get(value.__module__)
        return self._by_name.get(kind.__module__)


def _replaced(modules: OwnModules) -> Iterator[tuple[str, str]]:
    """Yield each name that is set, and the task that set it."""
    owners = _Owners(modules)
    # Copies are made at one go: while a list of items is, the collector may run code that imports.
    for name, module in sys.modules.copy().items():
        known = getattr(module, "__dict__", None)
        if id(module) not in owners.ids and type(known) is dict and _is_of_a_file(module):
            for key, label in owners.names(module):
                yield f"{name}.{key}", label
    for one in list(owners.classes.values()):
        for key, label in owners.names(one):
            yield f"{one.__module__}.{one.__qualname__}.{key}", label


def _is_of_a_file(module: types.ModuleType) -> bool:
    """Return whether the module is a file or built in, and not one that the task made up."""
    return getattr(module, "__spec__", None) is not None
