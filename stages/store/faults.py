"""Errors of the disk and of DVC as one kind: the store says what it could not do, and why."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from dvc.exceptions import DvcException
from dvc_objects.errors import ObjectFormatError

from stages.errors import GermlineError, LineageError


@contextmanager
def store_faults(action: str) -> Iterator[None]:
    """Raise a LineageError where the disk or DVC fails to do ``action``.

    Raises:
        LineageError: the message names the file, the reason and what to do.
    """
    try:
        yield
    except GermlineError:
        raise
    except (OSError, DvcException, ObjectFormatError, sqlite3.Error) as error:
        raise LineageError(f"store: {action}: {_reason(error)} {_remedy(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        file = f"{error.filename}: " if error.filename else ""
        return f"{file}{error.strerror}."
    text = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return f"{text.rstrip('.')}."


def _remedy(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return (
            "Give yourself the right to write there and run the same command again. Where several "
            "users share a cache, set `dvc config cache.shared group` and give its group what is "
            "there already: chmod -R g+rwX."
        )
    return "Remove the cause and run the same command again."
