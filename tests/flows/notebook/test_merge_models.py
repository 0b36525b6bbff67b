"""``germline.merge``: what it takes, what it gives, what it refuses."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import germline
from stages.checkpoint.reader import Checkpoint
from tests.flows.typed import merged

TEXT = """
merge_method: linear
models: [{model: one}, {model: two}]
parameters: {weight: 0.5}
"""


def _recipe_file(recipe: germline.Recipe) -> Path:
    path = Path("recipe.json")
    path.write_text(json.dumps(recipe.to_dict()), encoding="utf-8")
    return path


def _mergekit_file(recipe: germline.Recipe) -> Path:
    del recipe
    path = Path("merge.yml")
    path.write_text(TEXT, encoding="utf-8")
    return path


KINDS: dict[str, Callable[[germline.Recipe], Any]] = {
    "recipe": lambda recipe: recipe,
    "its data": lambda recipe: recipe.to_dict(),
    "its text": lambda recipe: json.dumps(recipe.to_dict()),
    "its file": _recipe_file,
    "its file, as text": lambda recipe: str(_recipe_file(recipe)),
    "child's folder": lambda _: Path("first"),
    "MergeKit file": _mergekit_file,
    "MergeKit data": lambda _: yaml.safe_load(TEXT),
}


@pytest.mark.usefixtures("here")
def test_all_kinds_of_input_give_the_weights_of_the_command(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Text, data, files, folders and recipes: one id, one hash, nothing is printed."""
    merged(TEXT, out="typed")
    first = germline.merge(TEXT, "first")
    again = {kind: germline.merge(of(first.recipe), kind) for kind, of in KINDS.items()}
    printed = capfd.readouterr()

    assert first.weights_hash == Checkpoint(Path("typed")).hash()
    assert first.weights_hash == Checkpoint(first.folder).hash()
    assert {(m.id, m.weights_hash) for m in again.values()} == {(first.id, first.weights_hash)}
    assert first.id == first.recipe.id
    assert (printed.out, printed.err) == ("", "")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("recipe", "options", "message"),
    [
        ("nothing.yml", {}, "nothing.yml: cannot be read: No such file"),
        (TEXT.replace("linear", "liner"), {}, "given text, line 2: merge_method: "),
        ({"merge_method": "linear", "models": {1, 2}}, {}, "given data: not plain data"),
        (3, {}, "recipe: got a int. Give a Recipe"),
        (TEXT, {"seed": -1, "compat": "x"}, "seed: got -1.*\ncompat: got 'x'. Legal: None"),
        (TEXT, {"threads": 0, "shard_gb": 0}, "shard_gb: got 0.*\nthreads: got 0"),
        (TEXT.replace("one", "./oen"), {}, "no such folder. Did you mean 'one'?"),
    ],
)
def test_a_fault_is_an_error_of_germline(
    recipe: Any, options: dict[str, Any], message: str
) -> None:
    """It says what is wrong in one line for each fault, and nothing is written."""
    with pytest.raises(germline.GermlineError, match=message):
        germline.merge(recipe, "out", **options)
    assert not Path("out").exists()


@pytest.mark.usefixtures("here")
def test_what_the_system_refuses_is_an_error_of_germline() -> None:
    """A folder that cannot be written is told as the command tells it."""
    Path("file").write_text("", encoding="utf-8")
    with pytest.raises(germline.CheckpointError, match="file/out: cannot be written") as caught:
        germline.merge(TEXT, "file/out")
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno in (errno.ENOTDIR, errno.EEXIST)


@pytest.mark.usefixtures("here")
def test_notebooks_show_a_merge_with_its_words_escaped() -> None:
    """Names with HTML in them are shown as they are spelled."""
    Path("two").rename("<b>two")
    model = germline.merge(TEXT.replace("two", "<b>two"), "<out>")
    shown = model._repr_html_() + model.recipe._repr_html_()

    assert "&lt;out&gt;" in shown
    assert "&lt;b&gt;two" in shown
    assert "<b>" not in shown
    assert "all: weight 0.5" in shown
