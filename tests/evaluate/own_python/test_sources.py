"""Each file that decides a score is in the suite's key; what decides none is not."""

import sys
from pathlib import Path

import pytest

from stages.evaluate.tasks.suite import Suite
from tests.evaluate.own_python.conftest import MakeSuite, write_task

CODE = """
import json, pathlib, sys
HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "shared_code"))
import helper
import outside
from package import inner

WORDS = (HERE / "words.txt").read_text()


def score(doc, results):
    import later
    return {"ok": helper.VALUE}
"""
DECIDING = {
    "tasks/code.py": "\nMORE = 1\n",
    "tasks/helper.py": "VALUE = 0.75\n",
    "tasks/deeper.py": "VALUE = 0.75\n",
    "tasks/package/__init__.py": "X = 2\n",
    "tasks/package/inner.py": "X = 2\n",
    "tasks/later.py": "X = 2\n",
    "tasks/words.txt": "other words\n",
    "shared_code/outside.py": "X = 2\n",
    "tasks/base.yaml": "target_delimiter: '|'\n",
    "tasks/own.yaml": "\ndescription: 'Answer. '\n",
    "data/own.jsonl": None,
}


@pytest.fixture
def layered(own: Path) -> Path:
    """A task of several files: an included one, helpers, a package, words."""
    files = dict.fromkeys(DECIDING, "X = 1\n") | {
        "tasks/code.py": CODE,
        "tasks/helper.py": "from deeper import VALUE\n",
        "tasks/deeper.py": "VALUE = 0.25\n",
        "tasks/words.txt": "some words\n",
        "tasks/base.yaml": "target_delimiter: ' '\n",
    }
    del files["data/own.jsonl"]
    for name, text in files.items():
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text(text)
    write_task(own, include="base.yaml")
    return own


def keys(suite: Suite) -> list[str]:
    """Return the keys of all splits and of some items."""
    return [suite.key("search"), suite.key("test"), suite.key("search", suite.items("search")[:2])]


def test_key_changes_with_each_file(layered: Path, load: MakeSuite) -> None:
    """Imported at once or later, from its folder or next to it, a package, or opened."""
    seen = {"as it was": keys(load())}
    for name, text in DECIDING.items():
        path = layered / name
        first = path.read_text()
        if name.endswith("own.yaml"):
            changed = first.replace('"{{q}}"', '"{{q}} "')
        elif text is None:
            changed = first.replace("is it", "what is")
        else:
            changed = text if name != "tasks/code.py" else CODE + text
        path.write_text(changed)
        seen[name] = keys(load())
        path.write_text(first)
    for one_split in zip(*seen.values(), strict=True):
        assert len(seen) == len(set(one_split)), seen
    assert seen["as it was"] == keys(load())


def test_changed_helper_is_used(
    layered: Path, load: MakeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that loads the suite again runs the new helper, not the one it imported.

    Nor one from Python's cache, which takes a file of the same second and length for the same.
    """
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for number in (0.25, 0.75, 0.5):
        (layered / "tasks" / "deeper.py").write_text(f"VALUE = {number}\n")
        loaded = load().parts["search"][0].loaded
        with loaded.entered():
            assert loaded.task.process_results({}, [""]) == {"ok": number}
    assert not sys.dont_write_bytecode
    assert [] == list(layered.rglob("__pycache__"))


def test_key_stays_with_files_that_decide_nothing(layered: Path, load: MakeSuite) -> None:
    """Notes, other tasks' files and whatever lies outside the folders of its modules."""
    before = keys(load())
    for name in ("tasks/notes.md", "tasks/other.yaml", "data/other.jsonl", "lone.py"):
        (layered / name).write_text("{}\n")
    assert before == keys(load())


def test_key_is_the_same_elsewhere(
    layered: Path, load: MakeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No path of the machine is in the key."""
    before = keys(load())
    elsewhere = layered / "elsewhere"
    elsewhere.mkdir()
    for name in ("tasks", "data", "shared_code"):
        (layered / name).rename(elsewhere / name)
    monkeypatch.chdir(elsewhere)
    assert before == keys(load())


def test_module_in_the_projects_folder_does_not_take_the_project(
    own: Path, load: MakeSuite
) -> None:
    """Results and models lie below it: only what is imported counts."""
    (own / "tasks" / "code.py").write_text(
        "import sys\nsys.path.insert(0, '.')\nimport lone\nfrom lone import score\n"
    )
    (own / "lone.py").write_text("def score(doc, results):\n    return {'ok': 1.0}\n")
    write_task(own)
    before = keys(load())
    (own / "metrics.json").write_text("{}")
    assert before == keys(load())
    (own / "lone.py").write_text("def score(doc, results):\n    return {'ok': 0.5}\n")
    assert before != keys(load())
