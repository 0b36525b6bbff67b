"""Prefect's settings for this project, put into the environment before Prefect is imported.

Prefect reads the environment once, at its first import; the package calls ``prepare`` so that
every module of flows that imports Prefect comes after it. What the user has set is left alone.
"""

import os
import sys
import warnings
from pathlib import Path
from urllib.parse import urlsplit

SETTINGS = {
    # Runs, logs and deployments of this project, apart from any other Prefect on the machine. The
    # commands of a run work in the project's folder.
    "PREFECT_HOME": str(Path.cwd() / ".prefect"),
    # No telemetry: offline it costs a time-out and an error in the log.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # The first start makes the database, 13 s on a quiet machine; Prefect's own limit is 20 s.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
    # What a person must know is printed by germline. Prefect's log goes to its page alone: on the
    # terminal a failed candidate would be a traceback for each try.
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    # Its services would say, between our lines, that a run ended before they did.
    "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
    # What DVC prints in a scheduled run is ordinary news.
    "PREFECT_LOGGING_LOGGERS_PREFECT_FLOW_RUNS_LEVEL": "INFO",
    # A heartbeat every 180 s tells a crashed run from a slow one. It costs up to 1 s at the end of
    # each flow and cannot be switched off here: the environment has no way to say None.
}


def prepare() -> None:
    """Set what the user has not set; say on one line what Prefect's import would crash on."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    # flows.prefect_runtime.server says it, and ends the run.
    warnings.filterwarnings("ignore", message="Failed to create the Prefect home directory")
    try:
        urlsplit(os.environ.get("PREFECT_API_URL", ""))
    except ValueError as error:
        sys.exit(f"error: PREFECT_API_URL: {error}. Correct it, or unset it.")
