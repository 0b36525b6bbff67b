"""Every family once: its base and two fine-tunes, saved as transformers saves them."""

from pathlib import Path

import pytest

from stages.checkpoint.reader import Checkpoint
from tests.merge.architecture.families import make


class _Families(dict[str, list[Checkpoint]]):
    """Models by family, made when they are first asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def __missing__(self, family: str) -> list[Checkpoint]:
        folders = [self._root / family / name for name in ("base", "one", "two")]
        for seed, folder in enumerate(folders):
            make(family, seed).save_pretrained(folder)
        self[family] = [Checkpoint(folder) for folder in folders]
        return self[family]


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Checkpoint]]:
    """The base, one and two of each family, in float32."""
    return _Families(tmp_path_factory.mktemp("families"))
