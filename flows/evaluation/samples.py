"""What was asked and answered, item by item, as plain data."""

from collections.abc import Iterator, Sequence
from typing import Any

from stages.evaluate.evaluator import Ready
from stages.evaluate.tasks.task_hash import plain
from stages.lineage.evaluation import Evaluation


def samples_of(ready: Sequence[Ready], evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    """Yield each item of an evaluation that was just made, in the order of the documents.

    ``doc_id`` is lm-eval's number of the document. ``score`` is None where the metric has no value
    for one item. A prompt that all requests of an item share is given once.
    """
    scores = {(score.task, score.item): score.score for score in evaluation.items}
    for one in ready:
        label, loaded = one.part.label, one.part.loaded
        for item, asked in one.instances.items():
            yield {
                "task": label,
                "doc_id": one.part.places[item],
                "item": item,
                **_answers(asked, loaded.filter),
                "metric": loaded.metric,
                "score": scores[label, item],
            }


def _answers(asked: Sequence[Any], filter_name: str) -> dict[str, Any]:
    written = [one for one in asked if one.request_type == "generate_until"]
    scored = [one for one in asked if one.request_type == "loglikelihood"]
    rolled = [one for one in asked if one.request_type == "loglikelihood_rolling"]
    prompts = ["" if one in rolled else str(one.args[0]) for one in asked]
    answers: dict[str, Any] = {"prompt": prompts[0] if len({*prompts}) == 1 else prompts}
    if scored or rolled:
        answers["targets"] = [one.args[-1] for one in (*scored, *rolled)]
        likelihoods = [one.resps[0][0] for one in scored] + [one.resps[0] for one in rolled]
        answers["loglikelihoods"] = likelihoods
    if scored:
        answers["is_greedy"] = [one.resps[0][1] for one in scored]
    if written:
        answers["text"] = _alone([text for one in written for text in one.resps])
        filtered = [one.filtered_resps.get(filter_name) for one in written]
        answers["filter"] = filter_name
        answers["filtered"] = plain(_alone(filtered))
    return answers


def _alone(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
