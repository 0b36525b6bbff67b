"""Score answers by lm-eval's own means: the task's filter, then its metric."""

from collections.abc import Mapping
from typing import Any

from stages.errors import EvaluationError, ParamsError
from stages.evaluate.tasks.lm_eval_task import LoadedTask, is_scored_by_metrics

_REMEDY_OF_METRICS = (
    "Fix the item's target or choices, or the arguments of the metric in the task's file."
)


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
    num_filtered = sum(loaded.filter in instance.filtered_resps for instance in instances)
    if num_filtered < len(instances):
        raise EvaluationError(
            f"{where}: gives answers to {num_filtered} of {len(instances)} requests. Let it give "
            "one for each."
        )


def _results(loaded: LoadedTask, document: Any, answers: list[Any]) -> Any:
    """Return the values by metric.

    Where a metric's function raises a TypeError, lm-eval calls it in another way, and it is the
    first error that says what is wrong with its arguments.
    """
    try:
        return loaded.task.process_results(document, answers)
    except TypeError as error:
        if isinstance(error.__context__, TypeError):
            raise error.__context__ from error
        raise


def value_of(name: str, loaded: LoadedTask, item: str, asked: list[Any], document: Any) -> Any:
    """Return the value of the task's metric for one item, whose responses are filtered.

    Raises:
        EvaluationError: the task's scoring raises.
        ParamsError: it gives no such metric: candidates cannot be compared by it.
    """
    where, by_metrics = f"task {name}, item {item}", is_scored_by_metrics(loaded.task)
    answers = [instance.filtered_resps[loaded.filter] for instance in asked]
    remedy = _REMEDY_OF_METRICS if by_metrics else "Fix the item or the task's process_results."
    with loaded.entered(), loaded.process.blamed(f"{where}: cannot be scored", remedy):
        metrics = _results(loaded, document, answers)
        if isinstance(metrics, Mapping) and loaded.metric in metrics:
            return metrics[loaded.metric]
    if not isinstance(metrics, Mapping):
        raise ParamsError(
            f"{where}: its process_results gives a {type(metrics).__name__}, {metrics!r:.80}. "
            "Return a value for each metric, by its name."
        )
    given = ", ".join(map(str, metrics)) or "nothing"
    if metrics and by_metrics:
        raise ParamsError(
            f"task {name}: the function of its metric {loaded.metric} gives {given}, of which "
            f"lm-eval makes a metric each, and none called {loaded.metric}. Return a number, or "
            "write a metric for each."
        )
    raise ParamsError(
        f"{where}: its process_results gives no {loaded.metric} for this item. "
        f"It gives: {given}. lm-eval leaves such items out of the score; here models are compared "
        "on the same items, so each needs a value. Return one for every item, or set another "
        "metric under evaluate.tasks."
    )
