"""A merge method of the user's own, from params.yaml through workers to the lineage, and DVC."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.pipeline.preflight import check
from stages.errors import ParamsError
from stages.params.load import Params
from tests.flows.conftest import ROOT, Project

MakeProject = Callable[[str], Project]
GUIDE = (ROOT / "docs/merge-methods.md").read_text(encoding="utf-8")
(FADE,) = re.findall(
    r"(?s)```python\n(.*?)```", GUIDE.partition("# A method of your own")[2].partition("\n# ")[0]
)


def _add_deps(folder: Path, *stages: str) -> None:
    """Add the folder of the user's methods to the deps of stages in dvc.yaml."""
    path = folder / "dvc.yaml"
    pipeline = yaml.safe_load(path.read_text(encoding="utf-8"))
    for stage in stages:
        pipeline["stages"][stage]["deps"].append("my_methods")
    path.write_text(yaml.safe_dump(pipeline), encoding="utf-8")


def _methods(project: Project) -> set[str]:
    """Return the methods that the lineage's recipes name."""
    return {row["recipe"]["method"] for row in project.rows()}


def test_pipeline_runs_a_plugin_and_sees_its_edit(copy_repeated: MakeProject) -> None:
    """Workers merge by the file; DVC sees an edit of it, and its candidates are computed again."""
    project = copy_repeated("plugin")
    own = project.folder / "my_methods" / "fade.py"
    own.parent.mkdir()
    own.write_text(FADE, encoding="utf-8")
    _add_deps(project.folder, "evolve", "select")
    project.set(
        {
            "merge": {"plugins": ["my_methods/fade.py"]},
            "select": {"space": {"methods": ["fade"]}, "generations": 1, "population": 3},
        }
    )

    project.germline("evolve")
    project.run("dvc", "commit", "--force", "evolve")
    first = _methods(project)
    own.write_text(FADE.replace("(size + half)", "(size + half + half)"), encoding="utf-8")
    status = project.run("dvc", "status", "evolve")
    edited = project.germline("evolve")

    (name,) = first
    assert re.fullmatch(r"fade@[0-9a-f]{12}", name)
    assert "my_methods" in status
    assert re.search(r"candidates, [1-9]\d* evaluated now", edited)
    assert first.isdisjoint(_methods(project))


def _params(plugins: list[str]) -> Params:
    """Return good params with plug-ins."""
    data: dict[str, Any] = {
        "download": {"base": "zoo:base", "parents": {"math": "zoo:math", "order": "zoo:order"}},
        "merge": {"plugins": plugins},
        "evaluate": {"include_path": "data/tasks", "tasks": [{"task": "spanish_arithmetic"}]},
        "select": {"space": {"methods": ["fade"]}},
    }
    return Params.model_validate(data)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the documented plug-in, this process's folder."""
    (tmp_path / "data").mkdir()
    for name in ("tasks", "zoo"):
        (tmp_path / "data" / name).symlink_to(ROOT / "data" / name)
    (tmp_path / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    (tmp_path / "my_methods").mkdir()
    (tmp_path / "my_methods" / "fade.py").write_text(FADE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check_knows_plugins_by_name(project: Path) -> None:
    """With its folder among the deps of both stages a plug-in's name is legal in the space."""
    _add_deps(project, "evolve", "select")

    check(_params(["./my_methods/fade.py"]))


def test_check_asks_for_the_deps_of_dvc(project: Path) -> None:
    """A plug-in that DVC would not watch is refused, with the stage that does not list it."""
    _add_deps(project, "evolve")

    with pytest.raises(ParamsError) as caught:
        check(_params(["my_methods/fade.py"]))

    assert "dvc.yaml: stage select: my_methods/fade.py of merge.plugins" in str(caught.value)


def test_check_says_what_is_wrong_with_a_plugin(project: Path) -> None:
    """A broken plug-in is one fault, said once."""
    (project / "my_methods" / "fade.py").write_text("1 / 0\n", encoding="utf-8")
    _add_deps(project, "evolve", "select")

    with pytest.raises(ParamsError) as caught:
        check(_params(["my_methods/fade.py"]))

    assert 1 == len(str(caught.value).splitlines())
    assert "ZeroDivisionError" in str(caught.value)
