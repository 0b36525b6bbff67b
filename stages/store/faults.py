"""Errors of the disk and of DVC as one kind: the store says what it could not do, and why."""

import logging
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from dvc.config import ConfigError
from dvc.exceptions import DvcException
from dvc_objects.errors import ObjectFormatError

from stages.errors import GermlineError, LineageError

_TRANSFERS = logging.getLogger("dvc_data.hashfile.transfer")


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
        refusal = next(_refusals(error), error)
        raise LineageError(f"store: {action}: {_reason(refusal)} {_remedy(refusal)}") from error


@contextmanager
def transfer_errors(names: Collection[str]) -> Iterator[list[BaseException]]:
    """Give the list of why objects of these names are not written: DVC would only log it."""
    errors: list[BaseException] = []

    def is_of_others(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not isinstance(record.args, tuple) or record.args[0] not in names:
            return True
        errors.append(error)
        return False

    _TRANSFERS.addFilter(is_of_others)
    try:
        yield errors
    finally:
        _TRANSFERS.removeFilter(is_of_others)


def _refusals(error: BaseException | None) -> Iterator[Exception]:
    """Yield what the system refused of what led to ``error``: DVC says only what it could not."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            yield error
        error = error.__cause__ or error.__context__


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        path = error.filename2 or error.filename  # of a copy, where it should go
        return f"{path}: {error.strerror}." if path else f"{error.strerror}."
    if isinstance(error, ConfigError):
        text = " ".join(line.strip() for line in str(error).splitlines())
        return f"DVC's configuration, .dvc/config or .dvc/config.local: {text.rstrip('.')}."
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
