"""One line for the person at the keyboard, and the whole traceback in a file that it names."""

import traceback
from pathlib import Path

from stages.files import write_whole

ERROR_LOG = Path("reports/runs/last-error.txt")


def explained(error: BaseException) -> str:
    """Return the kind and the reason of ``error`` in one line that names its traceback's file."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    reason = f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__
    try:
        write_whole(ERROR_LOG, "".join(traceback.format_exception(error)))
    except OSError as unwritten:
        why = unwritten.strerror or unwritten
        return f"{reason}. Its traceback cannot be written to {ERROR_LOG}: {why}."
    return f"{reason}. Its traceback is in {ERROR_LOG}."
