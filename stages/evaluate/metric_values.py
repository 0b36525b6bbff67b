"""Score answers by lm-eval's own means: the task's filter, then its metric."""

from collections.abc import Mapping
from typing import Any

from stages.errors import ParamsError
from stages.evaluate.tasks.lm_eval_task import LoadedTask


def apply_filter(name: str, loaded: LoadedTask, asked: Mapping[str, list[Any]]) -> None:
    """Set each instance's filtered responses.

    Raises:
        EvaluationError: the filter raises.
    """
    instances = [instance for listed in asked.values() for instance in listed]
    where, remedy = f"task {name}, filter {loaded.filter}", "Fix the filter or choose another."
    with loaded.entered(), loaded.process.blamed(where, remedy):
        for ensemble in loaded.task._filters:  # noqa: SLF001  lm-eval has no public list of them
            if ensemble.name == loaded.filter:
                ensemble.apply(instances)


def _is_scored_by_metrics(task: Any) -> bool:
    """Return whether lm-eval itself scores the items, by the functions of the metric_list."""
    from lm_eval.api.task import ConfigurableTask

    has_own = type(task).process_results is not ConfigurableTask.process_results
    return not has_own and not callable(task.get_config("process_results"))


def value_of(name: str, loaded: LoadedTask, item: str, asked: list[Any], document: Any) -> Any:
    """Return the value of the task's metric for one item, whose responses are filtered.

    Raises:
        EvaluationError: the task's scoring raises.
        ParamsError: it gives no such metric: candidates cannot be compared by it.
    """
    where, process = f"task {name}, item {item}: cannot be scored", loaded.process
    answers = [instance.filtered_resps[loaded.filter] for instance in asked]
    with loaded.entered(), process.blamed(where, "Fix the item or the task's process_results."):
        metrics = loaded.task.process_results(document, answers)
        if loaded.metric in metrics:
            return metrics[loaded.metric]
        given = ", ".join(map(str, metrics)) or "nothing"
    if metrics and _is_scored_by_metrics(loaded.task):
        raise ParamsError(
            f"task {name}: the function of its metric {loaded.metric} gives {given}, of which "
            f"lm-eval makes a metric each, and none called {loaded.metric}. Return a number, or "
            "write a metric for each."
        )
    raise ParamsError(
        f"task {name}, item {item}: its process_results gives no {loaded.metric} for this item. "
        f"It gives: {given}. lm-eval leaves such items out of the score; here models are compared "
        "on the same items, so each needs a value. Return one for every item, or set another "
        "metric under evaluate.tasks."
    )
