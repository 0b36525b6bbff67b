"""What a group scores: lm-eval's own aggregation of the scores of its tasks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.evaluate.groups.task_group import TaskGroup
from stages.evaluate.tasks.parts import Part
from stages.lineage.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class GroupScore:
    """One metric of a group over its tasks; ``stderr`` is None where lm-eval has none."""

    group: str
    metric: str
    filter: str
    score: float
    stderr: float | None
    num_items: int
    higher_is_better: bool


def group_scores(
    groups: Sequence[TaskGroup], parts: Sequence[Part], evaluation: Evaluation
) -> tuple[GroupScore, ...]:
    """Return the scores of the groups, each before those in it.

    A group whose file has no ``aggregate_metric_list``, or names a metric that not all of its
    tasks were scored by, has none.
    """
    by_label = {part.label: part for part in parts}
    metrics = _metrics(by_label, evaluation)
    scores: dict[tuple[str, str, str], GroupScore] = {}
    for whole in groups:
        for group in whole.all_groups():
            for score in _scores(group, by_label, metrics):
                scores[score.group, score.metric, score.filter] = score
    return tuple(scores.values())


def _metrics(by_label: Mapping[str, Part], evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    """Return by task what lm-eval's aggregation reads of it."""
    metrics = {}
    for total in evaluation.tasks:
        loaded = by_label[total.task].loaded
        metrics[total.task] = {
            f"{total.metric},{loaded.filter}": total.score,
            f"{total.metric}_stderr,{loaded.filter}": total.stderr,
            "sample_len": total.num_items,
        }
    return metrics


def _scores(
    group: TaskGroup, by_label: Mapping[str, Part], metrics: Mapping[str, dict[str, Any]]
) -> Iterator[GroupScore]:
    of_tasks = {name: metrics[name] for name in group.tasks}
    aggregated = _aggregated(group, by_label, of_tasks)
    for key in next(iter(of_tasks.values())):
        if (
            key in aggregated
            and "_stderr," not in key
            and all(key in one for one in of_tasks.values())
        ):
            metric, _, filter_name = key.partition(",")
            if not filter_name:
                continue
            stderr = aggregated.get(f"{metric}_stderr,{filter_name}")
            ways = {by_label[name].loaded.higher_is_better for name in of_tasks}
            yield GroupScore(
                group=group.name,
                metric=metric,
                filter=filter_name,
                score=float(aggregated[key]),
                stderr=float(stderr) if isinstance(stderr, float) else None,
                num_items=sum(one["sample_len"] for one in of_tasks.values()),
                higher_is_better=ways == {True},
            )


def _aggregated(
    group: TaskGroup, by_label: Mapping[str, Part], of_tasks: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return what lm-eval's group says of the metrics of its tasks."""
    own, by_task = group.shell(), {}
    has_error = any(one["sample_len"] > 1 for one in of_tasks.values())
    for name, metrics in of_tasks.items():
        task = by_label[name].loaded.task
        own.add(task)
        kept = metrics.items()
        by_task[task.task_name] = {k: v for k, v in kept if has_error or "_stderr," not in k}
    return dict(own.aggregate(by_task))
