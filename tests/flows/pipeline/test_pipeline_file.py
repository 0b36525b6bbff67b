"""What reruns a stage of dvc.yaml, and what reruns none."""

import yaml
from dvc.repo import Repo

from tests.flows.conftest import ROOT, Maker, Project

PROSE = ("README.md", "drawing/notes.md")
LEFT_BY_TOOLS = (
    "__pycache__/old.cpython-311.pyc",
    ".ipynb_checkpoints/a.py",
    "a.py~",
    ".a.py.swp",
)


def changed_stages(project: Project) -> set[str]:
    """Return the stages that `dvc status` of the project lists."""
    with Repo(str(project.folder)) as repo:
        return {name.rpartition(":")[2] for name in repo.status()}


def test_only_what_decides_a_stage_reruns_it(copy_repeated: Maker) -> None:
    """Prose and caches in code folders rerun nothing; merge.keep leaves the download clean."""
    project = copy_repeated("project")
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    deps = {dep for stage in pipeline.values() for dep in stage["deps"]}
    code = {ROOT / dep for dep in deps if dep.startswith(("flows/", "stages/"))}
    for folder in (p.relative_to(ROOT) for p in code if p.is_dir()):
        for name in PROSE + LEFT_BY_TOOLS:
            extra = project.folder / folder / name
            extra.parent.mkdir(parents=True, exist_ok=True)
            extra.write_text("no code", encoding="utf-8")
    assert changed_stages(project) == set()

    project.set({"merge": {"keep": "all"}})
    assert changed_stages(project) == {"evolve", "select"}

    source = project.folder / "stages/report/page/charts.js"
    text = source.read_text(encoding="utf-8")
    source.unlink()
    source.write_text(text + "\n", encoding="utf-8")
    assert changed_stages(project) == {"evolve", "select", "report"}
