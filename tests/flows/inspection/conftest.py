"""A small run that lies on disk."""

from pathlib import Path

import pytest

from flows.inspection.stored_lineage import StoredLineage, read_lineage
from tests.flows.inspection.small_run import write_run


@pytest.fixture
def stored(tmp_path: Path) -> StoredLineage:
    """The lineage of the small run."""
    write_run(tmp_path)
    return read_lineage(tmp_path)
