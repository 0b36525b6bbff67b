"""What of a machine is not as it was when a run was recorded: kind, level, switches, build."""

from collections.abc import Mapping, Sequence
from typing import Any


def machine_differences(
    recorded: Sequence[Mapping[str, Any]], now: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return a line for each thing in which a recorded machine is not that of now, each once."""
    lines = [
        f"machine, {name}: {_shown(then.get(name), now.get(name))}"
        for then in recorded
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
    return tuple(dict.fromkeys(lines))


def _shown(then: Any, now: Any) -> str:
    """Return both values; of two lists what only one of them has."""
    if isinstance(then, list) and isinstance(now, list):
        ours, others = (sorted({*a} - {*b}) for a, b in ((then, now), (now, then)))
        return f"{', '.join(ours) or 'none'} only then; {', '.join(others) or 'none'} only now"
    return f"{_words(then)} then, {_words(now)} now"


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={one}" for name, one in sorted(value.items())) or "none"
    return "unknown" if value is None else str(value)
