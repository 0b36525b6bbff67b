"""The way of every command that reads a lineage: find the project, read it, say what is wrong."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from flows.inspection.project_folder import project_folder
from flows.inspection.stored_lineage import StoredLineage, read_half, read_lineage
from flows.inspection.terminal_text import plain_console, printable
from stages.errors import GermlineError
from stages.params.space.space_params import Half


@contextmanager
def reading(half: Half | None = None) -> Iterator[StoredLineage]:
    """Give the lineage of the project around the working folder, or of its search in a half.

    A fault in the block, or before it, is one line on stderr, and the exit code is 1.
    """
    with one_line_faults():
        folder = project_folder()
        yield read_lineage(folder) if half is None else read_half(folder, half)


@contextmanager
def one_line_faults() -> Iterator[None]:
    """Say a fault of the block on one line each, without what would steer a terminal; exit with 1.

    A pipe that the reader has closed ends the command without a word: click does that.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except (GermlineError, OSError) as error:
        console = plain_console(stderr=True)
        for line in str(error).splitlines():
            console.print(f"error: {printable(line)}", soft_wrap=True)
        sys.exit(1)
