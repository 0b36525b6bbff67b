"""Every family once: its base and two fine-tunes, saved as transformers saves them."""

import pytest

from stages.checkpoint.reader import Checkpoint
from tests.merge.architecture.families import FAMILIES, make


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Checkpoint]]:
    """The base, one and two of each family, in float32."""
    root = tmp_path_factory.mktemp("families")
    for family in FAMILIES:
        for seed, name in enumerate(("base", "one", "two")):
            make(family, seed).save_pretrained(root / family / name)
    return {
        family: [Checkpoint(root / family / name) for name in ("base", "one", "two")]
        for family in FAMILIES
    }
