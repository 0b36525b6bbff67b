"""How long a busy server asks to be left alone: the header Retry-After (RFC 9110, 10.2.3)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def asked_wait_s(headers: Mapping[str, str]) -> float:
    """Return how long ``Retry-After`` asks to wait, as seconds or as a date; 0 without it.

    A date counts from the reply's own ``Date`` where it has one, as clocks differ. ``headers`` is
    a reply's, whose names are looked up in any case.
    """
    wanted = headers.get("retry-after", "")
    if re.fullmatch(r"\d+(\.\d+)?", wanted, re.ASCII):
        return float(wanted)
    until = _date(wanted)
    if until is None:
        return 0.0
    now = _date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
