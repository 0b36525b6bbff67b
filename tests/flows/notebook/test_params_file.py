"""The params.yaml that ``germline.search`` works with."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import germline
from flows.notebook.params_file import project_of

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the params.yaml and the dvc.yaml of the repository."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_params_that_say_the_same_leave_the_file_alone(project: Path) -> None:
    """Data, an object, a path and a folder that say what params.yaml says: its comments stay."""
    path = project / "params.yaml"
    before, known = path.read_bytes(), germline.load_params(str(path))

    for params in (path, project, str(path), yaml.safe_load(before), known):
        assert project_of(params, project, overwrite=False) == (project, known)
    assert path.read_bytes() == before


def test_other_params_replace_the_file_where_that_is_asked(project: Path) -> None:
    """A file that says something else is kept unless it may be overwritten."""
    path = project / "params.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    data["select"]["seed"] = 7
    with pytest.raises(germline.ParamsError, match="Give overwrite=True"):
        project_of(data, project, overwrite=False)
    del data["report"]
    _, wanted = project_of(data, project, overwrite=True)
    stages = yaml.safe_load((project / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    written = yaml.safe_load(path.read_text(encoding="utf-8"))

    assert germline.load_params(path) == wanted
    assert wanted.select.seed == 7
    for key in (key for stage in stages.values() for key in stage["params"]):
        section, _, name = key.partition(".")
        assert not name or name in written[section]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"downlaod": {}}, "params: downlaod: unknown key.*Did you mean 'download'"),
        (3, "params: got a int. Give the path"),
        ("nothing.yaml", "nothing.yaml: no such file"),
        (ROOT / "params.yaml", "not a project: there is no dvc.yaml"),
    ],
)
def test_what_cannot_be_run_is_refused(params: Any, message: str, tmp_path: Path) -> None:
    """What is wrong is said before anything is written."""
    with pytest.raises(germline.ParamsError, match=message):
        germline.search(params, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
