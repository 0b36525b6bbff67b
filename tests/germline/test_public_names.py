"""What ``import germline`` gives, what it leaves alone, and whose packages it finds."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import germline

ROOT = Path(__file__).parents[2]
PUBLIC = {
    *("CheckpointError", "EvaluationError", "GermlineError", "LineageError", "ParamsError"),
    *("RecipeError", "ServiceError", "Kernel", "Method", "MethodSpec", "Parameter", "Settings"),
    *("Sources", "DENSITY", "SCALE", "WEIGHT", "added", "choice", "elected", "normalize"),
    *("Model", "Recipe", "Rule", "MergeResult", "merge", "Lineage", "load_lineage"),
    *("Params", "load_params", "SearchResult", "search"),
}
_IMPORT = """
import os, sys
before = dict(os.environ)
import germline
assert before == dict(os.environ), "the environment was changed"
assert not {"torch", "prefect", "dvc", "lm_eval"} & set(sys.modules)
print(sorted(germline.__all__))
"""


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python in ``folder``, which comes first on its path."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={"PATH": "", "PYTHONPATH": f"{folder}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_public_names_are_listed_and_found() -> None:
    """The public names are these, and each is found."""
    assert set(germline.__all__) == PUBLIC
    assert all(getattr(germline, name) is not None for name in PUBLIC)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        germline.nothing  # noqa: B018


def test_import_loads_no_library_and_sets_no_variable(tmp_path: Path) -> None:
    """Import is light: no torch, no Prefect, no environment variable."""
    done = run(tmp_path, "-c", _IMPORT)
    assert done.returncode == 0, done.stderr
    assert ast.literal_eval(done.stdout) == sorted(PUBLIC)


def test_command_works_next_to_folders_called_as_germlines_own(tmp_path: Path) -> None:
    """A user's own packages ``flows`` and ``stages`` do not get in the way."""
    for name in ("flows", "stages"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('the user's own')\n")
    done = run(tmp_path, "-m", "germline", "merge", "--help")
    assert done.returncode == 0, done.stderr
    assert "Merge models" in done.stdout


def test_a_package_imported_before_is_named(tmp_path: Path) -> None:
    """Where a user's ``stages`` was imported first, the error says so."""
    (tmp_path / "stages.py").write_text("")
    done = run(tmp_path, "-c", "import stages, germline")
    assert "germline has a package 'stages' of its own" in done.stderr
    assert str(tmp_path / "stages.py") in done.stderr


def test_docs_and_examples_import_germline_alone() -> None:
    """Code that users copy imports no module that may move."""
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in (*ROOT.glob("docs/*.md"), ROOT / "README.md", *ROOT.glob("examples/**/*.md"))
    }
    imports = re.compile(r"^\s*(?:from|import) (?:stages|flows)\b", re.MULTILINE)
    assert [str(path) for path, text in texts.items() if imports.search(text)] == []
