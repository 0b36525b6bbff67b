"""What a command line cannot mean, whatever is on the disk, is wrong usage: exit code 2."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from stages.errors import GermlineError


@contextmanager
def as_usage() -> Iterator[None]:
    """Make wrong usage of what the block refuses: it reads words of the command line alone."""
    try:
        yield
    except GermlineError as error:
        raise click.UsageError(str(error)) from error
