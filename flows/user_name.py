"""A name and a home for a user whom the system does not know, as in a container."""

import getpass
import os
from pathlib import Path


def name_user() -> None:
    """Name the user by its number, and its home /, where the system knows neither.

    As in ``docker run --user 1234``: DVC and platformdirs would end with tracebacks. What this
    process starts inherits both.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):  # OSError since Python 3.13
        os.environ["USER"] = f"uid-{os.getuid()}"
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = "/"
