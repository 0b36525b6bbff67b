"""Groups and tags stand for the tasks that lm-eval runs for them, and score as lm-eval scores."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from stages.errors import EvaluationError
from stages.evaluate import stage
from stages.evaluate.groups.group_scores import group_scores
from stages.evaluate.groups.task_group import TaskGroup, expanded, tasks_of
from stages.evaluate.quiet_lm_eval import sealed
from stages.evaluate.tasks.catalogue import Catalogue
from stages.evaluate.tasks.suite import Suite
from stages.lineage.evaluation import ALL_ITEMS
from stages.params.evaluate_params import EvaluateParams
from tests.evaluate.conftest import colour, write_lines

TASK = {
    "dataset_path": "json",
    "output_type": "multiple_choice",
    "test_split": "test",
    "doc_to_text": "{{question}}",
    "doc_to_choice": ["red", "green", "blue", "black", "white"],
    "doc_to_target": "answer",
}
ACC = {"metric": "acc", "aggregation": "mean", "higher_is_better": True}
NORM = {"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True}
SIZES = {"few": 5, "some": 12, "many": 25}
FILES: dict[str, dict[str, Any]] = {
    "inner": {
        "group": "inner",
        "task": ["some", {"task": "many", "task_alias": "x"}],
        "aggregate_metric_list": [{"metric": "acc", "weight_by_size": False}],
    },
    "outer": {
        "group": "outer",
        "task": ["few", "inner"],
        "aggregate_metric_list": {"metric": "acc", "filter_list": "none"},
    },
    "inline": {
        "group": "inline",
        "task": [
            {"group": "part", "task": ["few", "some"], "aggregate_metric_list": {"metric": "acc"}}
        ],
        "aggregate_metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    },
    "by_tag": {"group": "by_tag", "task": ["sized"], "aggregate_metric_list": [{"metric": "acc"}]},
    "plain": {"group": "plain", "task": ["few", "some"]},
}


@pytest.fixture
def at_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three tasks of different sizes, two of them with a tag, and of groups."""
    (tmp_path / "tasks").mkdir()
    first = 0
    for name, size in SIZES.items():
        write_lines(tmp_path / f"{name}.jsonl", [colour(first + i) for i in range(size)])
        first += size
        tag = {} if name == "few" else {"tag": ["sized"]}
        files = {"data_files": {"test": f"{name}.jsonl"}}
        config = {"task": name, **TASK, "dataset_kwargs": files, **tag, "metric_list": [ACC, NORM]}
        (tmp_path / "tasks" / f"{name}.yaml").write_text(json.dumps(config))
    for name, group in FILES.items():
        (tmp_path / "tasks" / f"{name}.yaml").write_text(json.dumps(group))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def catalogue(at_groups: Path) -> Catalogue:
    """What finds the tasks."""
    return Catalogue(at_groups / "tasks")


def of_lm_eval(model: Path, name: str) -> Mapping[str, Any]:
    """Return the results that lm-eval gives for a task, group or tag."""
    with sealed():
        manager = TaskManager(include_path="tasks", include_defaults=False)
        results = simple_evaluate(
            "hf",
            model_args={"pretrained": str(model), "dtype": "float32"},
            tasks=[name],
            device="cpu",
            task_manager=manager,
            bootstrap_iters=2,  # else lm-eval gives no error
        )
    assert results is not None
    return dict(results)


@pytest.mark.parametrize("name", ["outer", "inline", "by_tag", "plain"])
def test_a_group_scores_as_by_lm_eval(
    catalogue: Catalogue, model_folder: Path, at_groups: Path, name: str
) -> None:
    """Its tasks, the groups in it, each aggregate and its error."""
    group = expanded(name, catalogue)
    assert isinstance(group, TaskGroup)
    params = EvaluateParams.model_validate({"tasks": [{"task": task} for task in group.tasks]})
    with sealed():
        suite = Suite.of_all_items(params, at_groups / "tasks")
    evaluator = stage.evaluator_of(model_folder, params, suite)
    scores = group_scores([group], suite.parts[ALL_ITEMS], evaluator.evaluate(ALL_ITEMS))
    expected = of_lm_eval(model_folder, name)
    assert sorted(expected["samples"]) == sorted(group.tasks)
    for score in scores:
        own = expected["groups"][score.group]
        assert own[f"acc,{score.filter}"] == pytest.approx(score.score)
        assert own[f"acc_stderr,{score.filter}"] == pytest.approx(score.stderr)
        assert own["sample_len"] == score.num_items
    aggregated = {g for g, own in expected.get("groups", {}).items() if "acc,none" in own}
    assert {score.group for score in scores} == aggregated


def test_a_tag_stands_for_its_tasks(catalogue: Catalogue) -> None:
    """In lm-eval's order; a task stands for itself."""
    assert tasks_of("sized", catalogue) == ("many", "some")
    assert tasks_of("few", catalogue) == ("few",)
    assert expanded("tasks/inner.yaml", catalogue) == expanded("inner", catalogue)
    assert tasks_of("outer", catalogue) == ("few", "some", "many")


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ({"task": [{"task": "few", "num_fewshot": 2}]}, r"gives few settings .*\(num_fewshot\)"),
        ({"task": ["few"], "num_fewshot": 2}, r"gives its tasks settings .*\(num_fewshot\)"),
        ({"task": ["few", "fwe"]}, r"group odd: no such task as its member fwe"),
        ({"task": []}, "group odd: lists no tasks"),
        ({"task": ["odd"]}, "group odd: is a member of itself"),
    ],
)
def test_a_group_that_cannot_be_scored_task_by_task_is_refused(
    at_groups: Path, group: dict[str, Any], said: str
) -> None:
    """With the reason; its tasks would not be those that have these names."""
    (at_groups / "tasks" / "odd.yaml").write_text(json.dumps({"group": "odd", **group}))
    with pytest.raises(EvaluationError, match=said):
        expanded("odd", Catalogue(at_groups / "tasks"))


def test_an_aggregation_that_lm_eval_has_not_is_refused(at_groups: Path) -> None:
    """As lm-eval refuses it."""
    config = {
        "group": "odd",
        "task": ["few"],
        "aggregate_metric_list": [{"metric": "acc", "aggregation": "median"}],
    }
    (at_groups / "tasks" / "odd.yaml").write_text(json.dumps(config))
    with pytest.raises(EvaluationError, match="group odd: its aggregate_metric_list cannot be"):
        expanded("odd", Catalogue(at_groups / "tasks"))
