"""Find what a task's Python keeps between calls: defaults that fill, globals, attributes."""

import types
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stages.errors import EvaluationError
from stages.evaluate.own_python.random_state import is_generator

TEXTS = ("", "The answer is 7.")  # what a model might write
_DEPTH = 6  # levels of nested containers that are compared
_PLAIN = (str, bytes, int, float, bool, complex, type(None))


def refuse_memory(
    score: Callable[[], Any], state: Callable[[], dict[str, Any]], scored_by: str
) -> None:
    """Check that ``score`` gives the same result three times, and that the ``state`` settles.

    A cache is complete by the third time; what still grows then would grow for ever.

    Raises:
        EvaluationError: a score depends on earlier calls.
    """
    values, states = [], []
    for _ in range(3):
        values.append(score())
        states.append(state())
    changed = [name for name, now in states[2].items() if states[1].get(name) != now]
    if len(set(values)) > 1 or changed:
        what = ", ".join(changed) or scored_by
        how = "gives another score" if len(set(values)) > 1 else "has changed"
        raise EvaluationError(
            f"scored again with the same answers it {how}: {what} remembers earlier calls, so "
            "that a candidate's score would depend on those before it. Make it keep nothing from "
            "one call to the next."
        )


def state_of(modules: Iterable[types.ModuleType], task: Any) -> dict[str, Any]:
    """Return the kept values, by the name of their keeper, as data that can be compared.

    Generators are left out: they are set back before each candidate. So is what other packages
    keep, such as ``functools.cache``: equal calls get equal answers from a cache.
    """
    listed = list(modules)
    own = {module.__name__ for module in listed}
    state: dict[str, Any] = {}
    for module in listed:
        stem = module.__name__.rpartition("/")[2]
        for name, value in list(vars(module).items()):
            if not name.startswith("__"):
                state.update(_kept(f"{stem}.{name}", value, module, own))
    if type(task).__module__ in own:
        kept = {n: v for n, v in vars(task).items() if n != "_instances"}
        state.update({f"{type(task).__name__}.{n}": _plain(v, own) for n, v in kept.items()})
    return state


def _kept(name: str, value: Any, module: types.ModuleType, own: set[str]) -> dict[str, Any]:
    """Return what a global of a module keeps; imports from elsewhere keep nothing."""
    if isinstance(value, types.ModuleType) or is_generator(value):
        return {}
    if not isinstance(value, type | types.FunctionType):
        return {name: _plain(value, own)}
    if value.__module__ != module.__name__:
        return {}
    if isinstance(value, type):
        state: dict[str, Any] = {}
        for inner, one in list(vars(value).items()):
            if not inner.startswith("__"):
                state.update(_kept(f"{name}.{inner}", one, module, own))
        return state
    cells = [_content(cell) for cell in value.__closure__ or ()]
    return {name: _plain([value.__defaults__, value.__kwdefaults__, vars(value), cells], own)}


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _plain(  # noqa: PLR0911  a case for each kind of value
    value: Any, own: set[str], depth: int = _DEPTH
) -> Any:
    """Return a copy that later changes of ``value`` do not reach; of opaque values, the type."""
    if isinstance(value, _PLAIN):
        return repr(value)  # NaN equals itself in this form
    kind = type(value)
    if depth == 0 or is_generator(value):
        return kind.__qualname__
    if isinstance(value, Mapping):
        return [(_plain(k, own, depth - 1), _plain(v, own, depth - 1)) for k, v in value.items()]
    if isinstance(value, set | frozenset):
        return sorted(repr(one) for one in value)
    if isinstance(value, list | tuple | deque):
        return [_plain(one, own, depth - 1) for one in value]
    if kind.__module__ == "itertools":
        return repr(value)
    if kind.__module__ in own and hasattr(value, "__dict__"):
        return [kind.__qualname__, _plain(vars(value), own, depth - 1)]
    return kind.__qualname__
