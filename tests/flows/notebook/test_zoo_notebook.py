"""The notebook in examples runs from its first cell to its last."""

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.flows.conftest import Maker

NOTEBOOK = Path("examples/notebook/zoo.ipynb")
ROOT = Path(__file__).parents[3]


def test_notebook_is_kept_without_outputs() -> None:
    """What a cell printed on somebody's machine is not in git."""
    notebook = nbformat.read(ROOT / NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert [cell for cell in cells if cell.outputs or cell.execution_count] == []


@pytest.mark.slow
def test_notebook_runs(copy_repeated: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell works on a small project that was run before, and tables are shown as HTML."""
    project = copy_repeated("project")
    (project.folder / NOTEBOOK).parent.mkdir(parents=True)
    shutil.copy(ROOT / NOTEBOOK, project.folder / NOTEBOOK)
    for name in [name for name in os.environ if name.startswith("PREFECT")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GERMLINE_CACHE", str(project.folder / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(project.folder / NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    folder = str((project.folder / NOTEBOOK).parent)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}})
    client.execute()
    shown = [
        output.get("data", {})
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]

    assert sum("text/html" in data for data in shown) >= 6
    assert any("image/svg+xml" in data for data in shown)
