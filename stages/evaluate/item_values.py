"""Compute an item's value: by lm-eval's metric or our measure, and by its language."""

from collections.abc import Callable, Mapping
from typing import Any

from stages.errors import EvaluationError
from stages.evaluate.measures.measured_answer import Answer
from stages.evaluate.tasks.parts import Part

ByMetric = Callable[[Part, str, list[Any]], Any]


def values_of(part: Part, asked: Mapping[str, list[Any]], by_metric: ByMetric) -> dict[str, Any]:
    """Return each item's value; ``by_metric`` gives that of the task's own metric.

    ``asked`` holds each item's instances with their responses, the chosen filter applied.

    Raises:
        EvaluationError: an answer cannot be scored.
        ParamsError: no candidate's answers can be scored in this way.
        ServiceError: a judge did not answer.
    """
    scoring = part.loaded.scoring
    if scoring is None:
        return _by_metric(part, asked, by_metric)
    language = scoring.language
    spoken = {
        item: instances
        for item, instances in asked.items()
        if language is None or language.allows(_text(part, item, instances[0].resps))
    }
    if scoring.measure is None:
        values = _by_metric(part, spoken, by_metric)
    else:
        answers = [_answer(part, item, of_item[0]) for item, of_item in spoken.items()]
        values = dict(zip(spoken, scoring.measure(answers), strict=True))
    return {item: values.get(item, 0.0) for item in asked}


def _by_metric(part: Part, asked: Mapping[str, list[Any]], by_metric: ByMetric) -> dict[str, Any]:
    """Return each item's value by the task's own metric; its Python is entered once for all."""
    with part.loaded.entered():
        return {item: by_metric(part, item, instances) for item, instances in asked.items()}


def _answer(part: Part, item: str, instance: Any) -> Answer:
    loaded = part.loaded
    filtered = loaded.scoring is not None and loaded.scoring.is_filtered
    said = instance.filtered_resps[loaded.filter] if filtered else instance.resps
    return Answer(
        item=instance.doc,
        text=_text(part, item, said),
        accepted=_accepted(loaded.task, instance.doc),
        where=_where(part, item),
    )


def _text(part: Part, item: str, said: Any) -> str:
    """Return the text of a response, the first of several."""
    while isinstance(said, list | tuple) and said:
        said = said[0]
    if not isinstance(said, str):
        raise EvaluationError(
            f"{_where(part, item)}: filter {part.loaded.filter} gives a {type(said).__name__}, "
            "not text. Choose another filter under evaluate.tasks."
        )
    return said


def _accepted(task: Any, doc: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the accepted answers: the document's ``answers``, or the target by lm-eval."""
    if task.get_config("custom_dataset") is not None and "answers" in doc:
        return tuple(doc["answers"])
    target = task.doc_to_target(doc)
    if isinstance(target, int) and task.get_config("doc_to_choice") is not None:
        target = task.doc_to_choice(doc)[target]
    return tuple(str(t) for t in target) if isinstance(target, list) else (str(target),)


def _where(part: Part, item: str) -> str:
    return f"task {part.label}, item {item}"
