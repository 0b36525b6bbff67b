"""The code that docs/python.md prints runs, in a small project that was run before."""

import os
import re
from pathlib import Path

import pytest

from tests.flows.conftest import Maker

PAGE = Path(__file__).parents[3] / "docs/python.md"


@pytest.mark.slow
def test_code_of_the_page_runs(
    copy_repeated: Maker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All blocks, in their order, in one notebook's names; what comments promise is printed."""
    project = copy_repeated("project")
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("GERMLINE_CACHE", str(project.folder / "cache"))
    for name in [name for name in os.environ if name.startswith("PREFECT")]:
        monkeypatch.delenv(name)
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), names)  # noqa: S102
    printed = capsys.readouterr().out

    assert len(blocks) > 8
    assert "Did you mean 'ties'?" in printed
    assert "says something else" in printed
    assert " gained, " in printed
