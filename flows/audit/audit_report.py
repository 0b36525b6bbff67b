"""An audit as a person reads it, and as JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from flows.audit.check_verdict import Verdict
from flows.audit.run_audit import Audit

_WIDTH = 10


def lines_of(audit: Audit) -> Iterator[str]:
    """Yield the verdict of each check, what differs, what was not checked, and the sum of it."""
    for verdict in audit.verdicts:
        yield from _verdict(verdict)
    yield from _environment(audit)
    unchecked = [f"{v.check}: {what}" for v in audit.verdicts for what in v.unchecked]
    if unchecked:
        yield "not checked:"
        yield from (f"  {line}" for line in unchecked)
    differing = [verdict.check for verdict in audit.verdicts if not verdict.agrees]
    if differing:
        yield f"DIFFERS: {', '.join(differing)}"
    else:
        yield "equal: what was checked is what was recorded"


def _verdict(verdict: Verdict) -> Iterator[str]:
    if verdict.checked == "nothing" and verdict.agrees:
        mark = "skipped"
    else:
        mark = "equal" if verdict.agrees else "DIFFERS"
    yield f"{mark:8}{verdict.check:{_WIDTH}} {verdict.checked}"
    for difference in verdict.differences:
        yield f"        {difference}"


def _environment(audit: Audit) -> Iterator[str]:
    for key in ("libraries", "machines"):
        then, now = _text(audit.then[key]), _text(audit.now[key])
        if then == now:
            yield f"{key}, then and now: {now}"
        else:
            yield f"{key} then: {then or 'unknown'}"
            yield f"{key} now: {now or 'unknown'}"
    yield from (f"  {line}" for line in audit.machine)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {version}" for name, version in sorted(value.items()))
    return "; ".join(value)


def data_of(audit: Audit) -> dict[str, Any]:
    """Return the audit as plain JSON data."""
    return {
        "agrees": audit.agrees,
        "verdicts": [{**asdict(v), "agrees": v.agrees} for v in audit.verdicts],
        "then": dict(audit.then),
        "now": dict(audit.now),
        "machine": list(audit.machine),
    }
