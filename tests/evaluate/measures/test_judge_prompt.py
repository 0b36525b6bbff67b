"""A judge that would not see the answer is refused, and templates of users run in a sandbox."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jinja2.exceptions import SecurityError
from pydantic import ValidationError

from stages.errors import EvaluationError, GermlineError, ParamsError
from stages.evaluate.measures.judge import Judge
from stages.evaluate.measures.measured_answer import Answer
from stages.evaluate.quiet_lm_eval import sealed
from stages.evaluate.tasks.suite import Suite
from stages.params.evaluate_params import EvaluateParams
from stages.params.task_params import JudgeParams
from tests.evaluate.conftest import write_lines
from tests.test_templates import ESCAPES

MakeParams = Callable[..., EvaluateParams]
ROWS = [{"prompt": f"p{i}", "lang": "en" if i else "de"} for i in range(30)]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def judged(prompt: str) -> dict[str, Any]:
    """Return a task with a judge that nobody serves."""
    judge = {"url": "http://127.0.0.1:9/v1", "model": "m", "prompt": prompt}
    return {"data": "prompts.jsonl", "judge": judge}


def test_prompt_without_the_answer_is_refused_in_the_params() -> None:
    """The judge would give every candidate one verdict, and the search would be blind."""
    with pytest.raises(ValidationError, match=r"`prompt` never shows \{\{ response \}\}"):
        JudgeParams(url="http://host/v1", model="m", prompt="Rate the {response} to {{ prompt }}.")


@pytest.mark.parametrize(
    "prompt",
    [
        "{% if lang == 'de' %}{{ response }}{% endif %}",
        "{{ response | length }} {{ [prompt][0] }}",
    ],
)
def test_prompt_that_hides_the_answer_to_an_item_is_refused(
    project: Path, make_params: MakeParams, prompt: str
) -> None:
    """What only the items can tell is told when they are read, before any is answered."""
    write_lines(project / "prompts.jsonl", ROWS)
    with pytest.raises(
        ParamsError, match=r"task prompts, document [01] .* does not show \{\{ res"
    ):
        Suite.load(make_params(judged(prompt), include_path=None))


def test_column_called_response_is_refused(project: Path, make_params: MakeParams) -> None:
    """The prompt's {{ response }} is the answer; a column of that name could not be shown."""
    write_lines(project / "prompts.jsonl", [{**row, "response": "r"} for row in ROWS])
    with pytest.raises(ParamsError, match=r"task prompts, document 0 .*has a column 'response'"):
        Suite.load(make_params(judged("{{ response }}"), include_path=None))
    params = JudgeParams(url="http://host/v1", model="m", prompt="{{ response }}")
    with pytest.raises(ParamsError, match="item 3: has a column 'response'"):
        Judge(params).grade([Answer({"response": "r"}, "a", "item 3")])
    scored = {"data": "prompts.jsonl", "kind": "exact_match", "columns": {"answer": "response"}}
    Suite.load(
        make_params({**scored, "template": "{{ response }}?{{ prompt }}"}, include_path=None)
    )


@pytest.mark.parametrize("escape", ESCAPES)
def test_templates_of_users_run_in_a_sandbox(
    project: Path, make_params: MakeParams, escape: str
) -> None:
    """A template of a task, of an lm-eval task's file and of a judge start no process."""
    write_lines(project / "prompts.jsonl", [{**r, "choices": ["a"], "answer": "1"} for r in ROWS])
    template = {"data": "prompts.jsonl", "kind": "exact_match", "template": escape}
    with pytest.raises(
        EvaluationError, match=r"prompts\.jsonl, row 1: template: .*(unsafe|safely)"
    ):
        Suite.load(make_params(template, include_path=None))
    asked = {**judged(escape + "{{ response }}"), "kind": "free_text"}
    with pytest.raises(GermlineError, match=r"judge\.prompt: .*(unsafe|safely.*)\. A"):
        Suite.load(make_params(asked, include_path=None))
    assert not (project / "escaped").exists()


def test_templates_that_lm_eval_renders_run_in_the_sandbox_too() -> None:
    """lm-eval's own templates of tasks cannot start a process; their filter is still there."""
    from lm_eval.utils import apply_template

    with sealed():
        pass
    with pytest.raises(SecurityError):
        apply_template(ESCAPES[0], {})
    assert "b\n" == apply_template("{{ x | regex_replace('a', 'b') }}\n", {"x": "a"})
