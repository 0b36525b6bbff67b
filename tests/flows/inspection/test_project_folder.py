"""Commands work in any folder inside a project."""

from pathlib import Path

import pytest

from flows.inspection.project_folder import at_project, project_folder, surrounding_project
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


def test_a_folder_with_params_of_its_own_is_not_led_to_the_project_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a folder that has no params.yaml takes those of the project around it."""
    deep = tmp_path / "data/tasks"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert surrounding_project() is None
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).touch()
    assert tmp_path == surrounding_project()
    (deep / "params.yaml").touch()
    assert surrounding_project() is None
    monkeypatch.chdir(tmp_path)
    assert surrounding_project() is None


def test_outside_a_project_it_is_said(tmp_path: Path) -> None:
    """With what a project holds."""
    with pytest.raises(ParamsError, match=r"not in a project of germline. .* dvc.yaml, or"):
        project_folder(tmp_path)
