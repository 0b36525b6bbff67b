"""Arguments of a wrong type, in the calls of a notebook."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import germline
from flows.notebook.project_lineage import ROWS
from stages.lineage.rows import write_rows
from tests.report.conftest import rows_of

CALLS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = {
    "out: got 5, a int. Give the path": (germline.merge, ("x.yml", 5), {}),
    "models: got [1], a list. Give a mapping": (germline.merge, ("x", "o"), {"models": [1]}),
    "models['a']: got 5, a int. Give a path": (germline.merge, ("x", "o"), {"models": {"a": 5}}),
    "seed: got True, a bool. Give a whole": (germline.merge, ("x", "o"), {"seed": True}),
    "seed: got 1.5, a float. Give a whole": (germline.merge, ("x", "o"), {"seed": 1.5}),
    "compat: got True, a bool. Give None": (germline.merge, ("x", "o"), {"compat": True}),
    "stages: got 5, a int. Give a path": (germline.merge, ("x", "o"), {"stages": 5}),
    "shard_gb: got '5', a str. Give a number": (germline.merge, ("x", "o"), {"shard_gb": "5"}),
    "threads: got '2', a str. Give a whole": (germline.merge, ("x", "o"), {"threads": "2"}),
    "plugins: got 'a.py', a str. Give a list": (germline.merge, ("x", "o"), {"plugins": "a.py"}),
    "plugins[0]: got None, a NoneType.": (germline.merge, ("x", "o"), {"plugins": [None]}),
    "offline: got 'no', a str. Give True": (germline.merge, ("x", "o"), {"offline": "no"}),
    "params: got a int. Give the path": (germline.search, (5,), {}),
    "folder: got 5, a int. Give the path": (germline.search, (".",), {"folder": 5}),
    "progress: got 3, a int. Give True": (germline.search, (".",), {"progress": 3}),
    "path: got None, a NoneType. Give the p": (germline.load_lineage, (None,), {}),
    "path: got b'.', a bytes. Give the path": (germline.load_lineage, (b".",), {}),
    "path: got {}, a dict. Give the path to": (germline.load_params, ({},), {}),
}


@pytest.mark.parametrize("word", [None, 5, Path("g00-c00"), ["g00-c00"], True])
def test_a_candidate_is_asked_for_by_a_word(tmp_path: Path, word: Any) -> None:
    """What is not a text is named, with what is legal; it is not looked for."""
    write_rows(tmp_path / ROWS, rows_of())
    lineage = germline.load_lineage(tmp_path)
    assert "g00-c01" == lineage.row("g00-c01").name
    for asked in (lineage.row, lineage.ancestors):
        with pytest.raises(germline.LineageError, match=r"^word: got .*Give the name of a cand"):
            asked(word)


@pytest.mark.parametrize("message", CALLS)
def test_an_argument_of_another_type_is_named(message: str) -> None:
    """The error is germline's, and says the argument, what was given and what is legal."""
    call, arguments, keywords = CALLS[message]
    with pytest.raises(germline.GermlineError) as caught:
        call(*arguments, **keywords)
    assert str(caught.value).startswith(message)


def test_all_arguments_of_another_type_are_named_at_once() -> None:
    """Each is a line of one error."""
    wrong: dict[str, Any] = {"seed": "a", "threads": "2"}
    with pytest.raises(germline.RecipeError) as caught:
        germline.merge("x.yml", "o", **wrong)
    assert ["seed", "threads"] == [line.split(":")[0] for line in str(caught.value).splitlines()]
