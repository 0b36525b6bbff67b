"""Tasks that cannot be supported are refused before their Python runs or their data are read."""

from pathlib import Path
from typing import Any

import pytest

from stages.errors import EvaluationError
from stages.evaluate.groups.task_group import tasks_of
from stages.evaluate.tasks import built_in_tasks
from stages.evaluate.tasks.catalogue import Catalogue
from tests.evaluate.own_python.conftest import MakeSuite, write_task

CLASS = """
from lm_eval.api.task import ConfigurableTask

open("ran", "w").close()


class Own(ConfigurableTask):
    UNSAFE_CODE = True
"""
RAN = "open('ran', 'w').close()\ndef score(doc, results):\n    return {'ok': 1.0}\n"
METRIC = {"aggregation": "mean", "higher_is_better": True}
CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "unsafe": ({"unsafe_code": True}, RAN, "runs code that the model writes"),
    "code_eval": (
        {"process_results": None, "metric_list": [{"metric": "code_eval", **METRIC}]},
        RAN,
        "runs code that the model writes",
    ),
    "evaluate": (
        {},
        RAN + "import evaluate\nPASS = evaluate.load('code_eval')\n",
        "runs code that the model writes",
    ),
    "class": ({"class": "!function code.Own"}, CLASS, "runs code that the model writes"),
    "image": ({"doc_to_image": "!function code.score"}, RAN, "shows pictures or sound"),
    "bypass": ({"metric_list": [{"metric": "bypass"}]}, RAN, "bypass, which scores nothing"),
    "metric": (
        {
            "process_results": None,
            "doc_to_text": "!function code.score",
            "metric_list": [{"metric": "exact_matsch", **METRIC}],
        },
        RAN,
        r"no metric 'exact_matsch'. Legal: .*mean 'exact_match'\?",
    ),
    "choice": (
        {
            "process_results": None,
            "output_type": "multiple_choice",
            "doc_to_choice": "!function code.score",
            "metric_list": [{"metric": "bleu", **METRIC}],
        },
        RAN,
        r"no metric for multiple_choice 'bleu'. Legal: acc, ",
    ),
    "aggregation": (
        {"metric_list": [{"metric": "ok", "aggregation": "maen", "higher_is_better": True}]},
        RAN,
        r"no aggregation 'maen'. Legal: .*mean 'mean'\?",
    ),
    "filter": (
        {"filter_list": [{"name": "f", "filter": [{"function": "take_frist"}]}]},
        RAN,
        r"no filter 'take_frist'. Legal: .*mean 'take_first'\?",
    ),
    "sampler": ({"fewshot_config": {"sampler": "frist_n"}}, RAN, r"no sampler 'frist_n'"),
    "output type": ({"output_type": "generate"}, RAN, r"no output_type 'generate'. Legal: "),
}


@pytest.mark.parametrize("kind", CASES)
def test_unsupported_task_is_refused_for_its_true_reason(
    own: Path, load: MakeSuite, kind: str
) -> None:
    """Its data are not there, and its Python would leave a file: neither is found out."""
    changes, python, message = CASES[kind]
    (own / "tasks" / "code.py").write_text(python)
    (own / "data" / "own.jsonl").unlink()
    write_task(own, **changes)
    with pytest.raises(EvaluationError, match=f"^task own: .*{message}"):
        load()
    assert not (own / "ran").exists()


def test_included_file_is_looked_into(own: Path, load: MakeSuite) -> None:
    """What makes a task unsupported may stand in the file that it includes."""
    (own / "tasks" / "code.py").write_text(RAN)
    (own / "tasks" / "base.yaml").write_text("unsafe_code: true\n")
    write_task(own, include="base.yaml")
    with pytest.raises(EvaluationError, match="runs code that the model writes"):
        load()
    assert not (own / "ran").exists()


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("name", ["humaneval", "mbpp", "humaneval_instruct"])
def test_built_in_tasks_that_run_code_are_refused(load: MakeSuite, name: str) -> None:
    """Nothing of the hub is asked for."""
    with pytest.raises(EvaluationError, match=f"task {name}: runs code that the model writes"):
        load(name)


def test_metric_that_is_not_used_may_be_any(own: Path, load: MakeSuite) -> None:
    """Where a scorer of the user's scores, the task's own metric does not matter."""
    (own / "tasks" / "mine.py").write_text("def score(item, answer):\n    return 1.0\n")
    write_task(own, process_results=None, metric_list=[{"metric": "bypass", **METRIC}])
    suite = load({"task": "own", "scorer": "tasks/mine.py:score"})
    assert suite.num_items("search") == 6


def test_built_in_names_are_those_of_lm_eval() -> None:
    """Tasks, a group and a tag are found without parsing all files; a wrong name has its hint."""
    assert len(built_in_tasks.task_names()) > 10_000
    path = built_in_tasks.task_file("gsm8k")
    assert path is not None
    assert path.name == "gsm8k.yaml"
    assert built_in_tasks.task_file("mmlu") is None
    mmlu = built_in_tasks.group_file("mmlu")
    assert mmlu is not None
    assert mmlu.name == "_mmlu.yaml"
    assert built_in_tasks.tagged("ai2_arc") == ["arc_challenge", "arc_easy"]
    assert "darija_sentiment_mac" in built_in_tasks.tagged("darija_sentiment_tasks")  # in quotes
    assert built_in_tasks.group_file("gsm8k_cott") is None
    assert built_in_tasks.tagged("gsm8k_cott") == []
    assert built_in_tasks.tagged("mmlu") == []
    assert len(tasks_of("mmlu", Catalogue(None))) == 57


@pytest.mark.usefixtures("own")
def test_mistyped_name_of_a_built_in_task_has_its_hint(load: MakeSuite) -> None:
    """The nearest of all names; a group is named with its tasks."""
    with pytest.raises(EvaluationError, match=r"task gsm8kk: no such task.* mean 'gsm8k'\?"):
        load("gsm8kk")
    with pytest.raises(
        EvaluationError,
        match=r"ai2_arc: is a group .* \{task: arc_challenge\}, \{task: arc_easy\}",
    ):
        load("ai2_arc")


@pytest.mark.slow
def test_built_in_names_are_all_of_lm_evals_index() -> None:
    """lm-eval's own index, which parses each file, has the same tasks in the same files."""
    from lm_eval.tasks import TaskManager

    manager = TaskManager()
    assert manager.all_subtasks == built_in_tasks.task_names()
    index = manager.task_index
    assert {n: index[n].yaml_path for n in built_in_tasks.task_names()} == {
        n: built_in_tasks.task_file(n) for n in built_in_tasks.task_names()
    }
    for name in manager.all_groups:
        assert index[name].yaml_path == built_in_tasks.group_file(name)
    for name in manager.all_tags:
        assert sorted(index[name].tags) == built_in_tasks.tagged(name)
