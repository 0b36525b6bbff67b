"""A task that sets names of other modules is refused; one that only calls them is not."""

from collections.abc import Iterator
from pathlib import Path

import lm_eval.api.metrics
import lm_eval.api.task
import pytest

from stages.errors import EvaluationError
from tests.evaluate.own_python.conftest import MakeSuite, write_task

PYTHON = """
import builtins
import functools
import json
import sys

import lm_eval.api.metrics
import lm_eval.api.task
from transformers.generation.utils import GenerationMixin

real = json.dumps


@functools.wraps(real)
def dumps(*arguments, **named):
    return real(*arguments, **named)


class Callable:
    def __call__(self, *arguments, **named):
        return real(*arguments, **named)


def score(doc, results):
    {scoring}
    return {{"ok": 1.0}}


{loading}
"""
SET = {
    "a function": ("json.dumps", "json.dumps = dumps"),
    "a part of one": ("json.dumps", "json.dumps = functools.partial(dumps)"),
    "an object": ("json.dumps", "json.dumps = Callable()"),
    "a built-in": ("builtins.round", "builtins.round = lambda number, *_: 0"),
    "what Python calls": ("sys.excepthook", "sys.excepthook = lambda *_: None"),
    "of a class": (
        "lm_eval.api.task.ConfigurableTask.dump_config",
        "lm_eval.api.task.ConfigurableTask.dump_config = dumps",
    ),
    "of a model": (
        "transformers.generation.utils.GenerationMixin.generate",
        "GenerationMixin.generate = dumps",
    ),
    "a metric's function": ("lm_eval.api.metrics.mean", "lm_eval.api.metrics.mean = dumps"),
}


@pytest.fixture(autouse=True)
def undo() -> Iterator[None]:
    """Give the names back that a task sets."""
    import builtins
    import json
    import sys

    from lm_eval.api.task import ConfigurableTask
    from transformers.generation.utils import GenerationMixin

    owners = (
        *(
            (json, "dumps"),
            (builtins, "round"),
            (sys, "excepthook"),
            (lm_eval.api.metrics, "mean"),
        ),
        *((ConfigurableTask, "dump_config"), (GenerationMixin, "generate")),
    )
    before = [getattr(owner, name) for owner, name in owners]
    yield
    for (owner, name), value in zip(owners, before, strict=True):
        setattr(owner, name, value)


@pytest.mark.parametrize("when", ["loading", "scoring"])
@pytest.mark.parametrize("kind", SET)
def test_task_that_sets_names_of_others_is_refused(
    own: Path, load: MakeSuite, kind: str, when: str
) -> None:
    """At import or when it scores, in whatever form; the message names what is set."""
    name, line = SET[kind]
    parts = {"loading": "", "scoring": "pass", when: line}
    (own / "tasks" / "code.py").write_text(PYTHON.format(**parts))
    write_task(own)
    with pytest.raises(EvaluationError, match=rf"^task own: its Python sets {name}, which all"):
        load()


def test_task_that_only_uses_others_is_not(own: Path, load: MakeSuite) -> None:
    """Wrapped functions and instances of its own, kept in its own module."""
    parts = {"loading": "KEPT = [dumps, Callable()]", "scoring": "dumps(doc)"}
    (own / "tasks" / "code.py").write_text(PYTHON.format(**parts))
    write_task(own)
    assert load().num_items("search") == 6
