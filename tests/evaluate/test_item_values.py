"""What an answer is worth: measures, filters, and the language that it must be in."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lm_eval.api.metrics import mean

from stages.errors import EvaluationError, ParamsError
from stages.evaluate.item_values import values_of
from stages.evaluate.measures.measures import Scoring, scoring_of
from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.evaluate.tasks.lm_eval_task import LoadedTask
from stages.evaluate.tasks.parts import Part
from stages.evaluate.tasks.suite import Suite
from stages.params.evaluate_params import EvaluateParams
from stages.params.task_params import TaskParams

MakeParams = Callable[..., EvaluateParams]

SPANISH = "La respuesta correcta es 42."
ENGLISH = "The right answer is clearly 42."


class FakeTask:
    """A task of lm-eval as far as scoring looks at one: its target is the document's."""

    def __init__(self, **config: Any) -> None:
        self._config = config

    def get_config(self, key: str) -> Any:
        """Return a key of the config."""
        return self._config.get(key)

    def doc_to_target(self, doc: dict[str, Any]) -> Any:
        """Return the target, as lm-eval would build it."""
        return doc["target"]

    def doc_to_choice(self, doc: dict[str, Any]) -> Any:
        """Return the choices."""
        return doc["choices"]


def worth(
    answers: dict[str, str],
    target: Any = "42",
    metric: str | None = "numeric",
    filtered: dict[str, Any] | None = None,
    **keys: Any,
) -> dict[str, Any]:
    """Return the values of answers to items that all have one target."""
    task_params = TaskParams.model_validate({"task": "t", **keys})
    scoring = scoring_of(task_params, metric)
    task = FakeTask(doc_to_choice="choices" if isinstance(target, int) else None)
    loaded = LoadedTask("t", task, metric or "own", "chosen", True, mean, scoring)
    part = Part("t", loaded, dict.fromkeys(answers, 0), None)
    doc = {"target": target, "choices": ["41", "42"]}
    asked: dict[str, list[Any]] = {
        item: [
            SimpleNamespace(
                doc=doc, resps=[text], filtered_resps={"chosen": (filtered or answers)[item]}
            )
        ]
        for item, text in answers.items()
    }
    return values_of(part, asked, lambda _, item, __: {"right": 1.0, "wrong": 0.0}.get(item, 0.5))


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        ("so it is 42.", "42", 1.0),
        ("so it is 42.0", "42", 1.0),
        ("41 or 42 or 43", "42", 0.0),
        ("I cannot tell", "42", 0.0),
        ("it is 1,250.50", "1250.5", 1.0),
        ("it is 42", "6 * 7 = 42\n#### 42", 1.0),
        ("it is 7", ["6", "7"], 1.0),
        ("it is 42", 1, 1.0),
        ("it is 41", 1, 0.0),
    ],
)
def test_last_number_is_compared_by_value(text: str, target: Any, expected: float) -> None:
    """Any generate_until task's target serves: text, a list of texts, or a choice's place."""
    assert {"i": expected} == worth({"i": text}, target)


def test_target_without_a_number_is_named() -> None:
    """A task whose targets are words cannot be scored by number."""
    with pytest.raises(ParamsError, match=r"task t, item i: its target 'red' holds no number"):
        worth({"i": "42"}, "red")


def test_decimal_comma_is_that_of_the_task() -> None:
    """With decimal: "," a point groups thousands, in answers and targets."""
    assert {"i": 1.0} == worth({"i": "son 1.250"}, "1250", decimal=",")
    assert {"i": 0.0} == worth({"i": "son 1.250"}, "1250")


def test_measures_read_the_text_unless_a_filter_is_named() -> None:
    """A task's first filter may cut the answer away; only one that is named stands between."""
    answers, cut = {"i": "it is 42"}, {"i": ["41"]}
    assert {"i": 1.0} == worth(answers, filtered=cut)
    assert {"i": 0.0} == worth(answers, filtered=cut, filter="chosen")
    with pytest.raises(EvaluationError, match=r"task t, item i: filter chosen gives a int"):
        worth(answers, filtered={"i": 7}, filter="chosen")


def test_answer_in_another_language_scores_zero() -> None:
    """Right and in the language counts; right in another does not; a bare number has none."""
    answers = {"spanish": SPANISH, "english": ENGLISH, "number": "42", "wrong": "Son 41, creo yo."}

    values = worth(answers, language="es")

    assert {"spanish": 1.0, "english": 0.0, "number": 1.0, "wrong": 0.0} == values


def test_language_is_that_of_the_whole_text() -> None:
    """A filter that leaves a number alone does not hide the language it was said in."""
    values = worth({"i": ENGLISH}, filtered={"i": "42"}, filter="chosen", language="es")

    assert {"i": 0.0} == values


def test_language_holds_for_metrics_of_lm_eval() -> None:
    """Where lm-eval's metric scores, an answer in another language scores 0 all the same."""
    values = worth({"right": SPANISH, "other": ENGLISH}, metric=None, language="es")

    assert {"right": 1.0, "other": 0.0} == values


def test_scoring_without_additions_is_none() -> None:
    """An entry that adds nothing leaves lm-eval's scoring, and the suite's key, as they are."""
    assert scoring_of(TaskParams.model_validate({"task": "t"}), None) is None


def test_identities_differ() -> None:
    """Each way of scoring has an identity of its own."""
    entries: list[tuple[dict[str, Any], str | None]] = [
        ({}, "numeric"),
        ({"decimal": ","}, "numeric"),
        ({}, "exact_match"),
        ({"filter": "x"}, "numeric"),
        ({"language": "es"}, "numeric"),
        ({"language": "fr"}, "numeric"),
        ({"language": "fr"}, None),
    ]
    scorings = [scoring_of(TaskParams.model_validate({"task": "t", **k}), m) for k, m in entries]
    identities = [str(s.identity) for s in scorings if isinstance(s, Scoring)]

    assert len(entries) == len(set(identities))


@pytest.mark.usefixtures("at_project")
def test_numeric_scores_any_task_that_generates(
    make_params: MakeParams, model_folder: Path
) -> None:
    """Tasks of lm-eval that generate can be scored by number, and others cannot."""
    params = make_params({"task": "sums", "metric": "numeric"})
    (score,) = ResidentEvaluator(model_folder, params, Suite.load(params)).evaluate("search").tasks
    assert ("numeric", True, 10) == (score.metric, score.higher_is_better, score.num_items)
    with pytest.raises(
        EvaluationError, match=r"task colours: has no metric 'numeric'. Legal: acc"
    ):
        Suite.load(make_params({"task": "colours", "metric": "numeric"}))
    with pytest.raises(EvaluationError, match=r"no metric 'nmeric'. Legal: fingerprint, numeric;"):
        Suite.load(make_params({"task": "sums", "metric": "nmeric"}))


@pytest.mark.usefixtures("at_project")
def test_scorer_and_language_work_on_tasks_of_lm_eval(
    project: Path, make_params: MakeParams, model_folder: Path
) -> None:
    """A scorer sees the documents of an lm-eval task and stands in for its metric."""
    (project / "mine.py").write_text(
        "def score(item, answer):\n    return len(answer) + 100 * ('question' in item)\n"
    )
    params = make_params({"task": "sums", "scorer": "mine.py:score", "language": "es"})
    evaluation = ResidentEvaluator(model_folder, params, Suite.load(params)).evaluate("search")
    assert "scorer" == evaluation.tasks[0].metric
    assert all(item.value >= 100 for item in evaluation.items)  # a dozen letters tell no language


@pytest.mark.usefixtures("at_project")
def test_language_needs_a_mean_of_which_higher_is_better(
    project: Path, make_params: MakeParams
) -> None:
    """Where 0 is not the worst score, the condition would reward the wrong language."""
    text = (project / "tasks/sums.yaml").read_text().replace("task: sums", "task: losses")
    text = text.replace("higher_is_better: true", "higher_is_better: false")
    path = project / "tasks/losses.yaml"
    path.write_text(text)
    try:
        with pytest.raises(EvaluationError, match=r"task losses: language is set, but its metric"):
            Suite.load(make_params({"task": "losses", "language": "es"}))
    finally:
        path.unlink()
