"""A folder with somebody's own models, and the command typed in it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flows.cli.main import main

ZOO = Path(__file__).parents[3] / "data/zoo"
Typed = Callable[..., Result]


@pytest.fixture
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the models origin, adder and sorter, and the file sums.csv."""
    for name, copy in (("base", "origin"), ("math", "adder"), ("order", "sorter")):
        shutil.copytree(ZOO / name, tmp_path / copy)
    rows = [f"what is {a} plus {b} ?,{a + b}" for a in range(8) for b in range(5)]
    (tmp_path / "sums.csv").write_text("prompt,answer\n" + "\n".join(rows) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def typed() -> Typed:
    """Return a runner of ``germline`` that checks the exit code and gives the result."""

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, list(arguments))
        assert code == result.exit_code, result.output
        return result

    return run
