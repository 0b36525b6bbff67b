"""Find what a task's Python set in modules of others, where it stays for all in the process."""

import functools
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any

from stages.errors import EvaluationError

_WRAPPED = {  # kinds of what holds a function, and where
    staticmethod: "__func__",
    classmethod: "__func__",
    types.MethodType: "__func__",
    property: "fget",
    functools.partial: "func",
}


def refuse_replaced(label: str, modules: Iterable[types.ModuleType]) -> None:
    """Check that the task's own ``modules`` put nothing of theirs into other modules or classes.

    lm-eval ends after its tasks; here other tasks, candidates and germline itself would use it.

    Raises:
        EvaluationError: a name of another module is a function or class of the task's.
    """
    own = list(modules)
    replaced = sorted(set(_replaced(own))) if own else []  # of some thousand modules
    if replaced:
        raise EvaluationError(
            f"task {label}: its Python sets {', '.join(replaced[:3])}, which all tasks, models "
            "and germline itself use in this process. Let it call functions of its own instead. "
            "What is set stays until the process ends: restart a notebook."
        )


class _Owned:
    """Tells what is of a task's own modules, from the hundred thousands of names of others."""

    def __init__(self, own: list[types.ModuleType]) -> None:
        self._globals = {id(vars(module)) for module in own}
        self._names = {module.__name__ for module in own}
        self._others: set[type] = set()  # kinds of which no value is the task's
        self.classes: dict[int, type] = {}  # of others, in the order in which they were seen

    def keys(self, holder: object) -> list[str]:
        """Return the names in a module or class whose values are the task's: mostly none."""
        for value in list(vars(holder).values()):
            kind = type(value)
            if kind is types.FunctionType:
                if id(value.__globals__) in self._globals:
                    break
            elif kind not in self._others and id(value) not in self.classes:
                if self._has(value):
                    break
                if issubclass(kind, type):
                    self.classes[id(value)] = value
                elif kind not in _WRAPPED:
                    self._others.add(kind)
        else:
            return []
        return [key for key, value in vars(holder).copy().items() if self._has(value)]

    def _has(self, value: Any) -> bool:
        """Return whether a function or class is the task's, wrapped ones and instances included.

        Functions are told by their globals: ``functools.wraps`` gives them another's name and
        module. Kinds are compared, as ``isinstance`` would load what a package loads when it is
        first used.
        """
        attribute = _WRAPPED.get(type(value))
        if attribute is not None:
            value = getattr(value, attribute)
        kind = type(value)
        if kind is types.FunctionType:
            return id(value.__globals__) in self._globals
        if issubclass(kind, type):
            return value.__module__ in self._names
        return kind.__module__ in self._names


def _replaced(own: list[types.ModuleType]) -> Iterator[str]:
    owned = _Owned(own)
    own_ids = {id(module) for module in own}
    # Copies are made at one go: while a list of items is, the collector may run code that imports.
    for name, module in sys.modules.copy().items():
        known = getattr(module, "__dict__", None)
        if id(module) not in own_ids and type(known) is dict and _is_of_a_file(module):
            yield from (f"{name}.{key}" for key in owned.keys(module))
    for one in list(owned.classes.values()):
        for key in owned.keys(one):
            yield f"{one.__module__}.{one.__qualname__}.{key}"


def _is_of_a_file(module: types.ModuleType) -> bool:
    """Return whether the module is a file or built in, and not one that the task made up."""
    return getattr(module, "__spec__", None) is not None
