"""A base and two others: Llamas of four layers."""

from pathlib import Path

import pytest

from tests.merge.mergekit.llamas import save_family


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the models base, one and two."""
    return save_family(tmp_path_factory.mktemp("llamas"))
