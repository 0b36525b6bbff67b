"""The way of every command that reads a lineage: find the project, read it, say what is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

from flows.inspection.project_folder import project_folder
from flows.inspection.stored_lineage import StoredLineage, read_half, read_lineage
from flows.inspection.terminal_faults import one_line_faults
from stages.params.space.space_params import Half


@contextmanager
def reading(half: Half | None = None) -> Iterator[StoredLineage]:
    """Give the lineage of the project around the working folder, or of its search in a half.

    A fault in the block, or before it, is one line on stderr, and the exit code is 1.
    """
    with one_line_faults(stopped="nothing was changed"):
        folder = project_folder()
        yield read_lineage(folder) if half is None else read_half(folder, half)
