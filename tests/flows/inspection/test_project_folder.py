"""Commands work in any folder inside a project."""

from pathlib import Path

import pytest

from flows.inspection.project_folder import at_project, project_folder
from stages.errors import ParamsError


def test_the_nearest_project_counts(tmp_path: Path) -> None:
    """A workspace inside another project is its own; a params.yaml alone is of another program."""
    for folder in (tmp_path, tmp_path / "examples/own"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("params.yaml", "dvc.yaml"):
            (folder / name).touch()
    deep = tmp_path / "examples/own/data/tasks"
    deep.mkdir(parents=True)
    (deep / "params.yaml").touch()
    assert tmp_path / "examples/own" == project_folder(deep)
    assert tmp_path == project_folder(tmp_path / "examples")
    before = Path.cwd()
    with at_project(deep) as folder:
        assert folder == Path.cwd() == tmp_path / "examples/own"
    assert before == Path.cwd()


def test_outside_a_project_it_is_said(tmp_path: Path) -> None:
    """With what a project holds."""
    with pytest.raises(ParamsError, match=r"not in a project of germline. .* dvc.yaml, or"):
        project_folder(tmp_path)
