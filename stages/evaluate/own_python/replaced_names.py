"""Find what a task's Python set in modules of others, where it stays for all in the process."""

import functools
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any

from stages.errors import EvaluationError


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


def _replaced(own: list[types.ModuleType]) -> Iterator[str]:
    own_globals = {id(vars(module)) for module in own}
    own_names = {module.__name__ for module in own}
    own_ids = {id(module) for module in own}
    seen: set[type] = set()
    # Copies are made at one go: while a list of items is, the collector may run code that imports.
    for name, module in sys.modules.copy().items():
        known = getattr(module, "__dict__", None)
        if id(module) in own_ids or type(known) is not dict or not _is_of_a_file(module):
            continue
        for key, value in known.copy().items():
            if _is_own(value, own_globals, own_names):
                yield f"{name}.{key}"
            elif issubclass(type(value), type) and value not in seen:
                seen.add(value)
                for inner, one in vars(value).copy().items():
                    if _is_own(one, own_globals, own_names):
                        yield f"{value.__module__}.{value.__qualname__}.{inner}"


def _is_of_a_file(module: types.ModuleType) -> bool:
    """Return whether the module is a file or built in, and not one that the task made up."""
    return getattr(module, "__spec__", None) is not None


def _is_own(value: Any, own_globals: set[int], own_names: set[str]) -> bool:
    """Return whether a function or class is the task's, wrapped ones and instances included.

    Functions are told by their globals: ``functools.wraps`` gives them another's name and module.
    Kinds are compared, as ``isinstance`` would load what a package loads when it is first used.
    """
    kind = type(value)
    if kind in (staticmethod, classmethod, types.MethodType):
        value = value.__func__
    elif kind is property:
        value = value.fget
    elif kind is functools.partial:
        value = value.func
    kind = type(value)
    if kind is types.FunctionType:
        return id(value.__globals__) in own_globals
    if issubclass(kind, type):
        return value.__module__ in own_names
    return kind.__module__ in own_names
