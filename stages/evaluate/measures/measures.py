"""Score generated text where lm-eval's own metrics do not.

A measure gives a finite number for each answer, higher is better, and a task's score is the mean.
With a language condition an answer in another language scores 0, whatever else it says; it is then
not measured at all, so that a judge is not asked about it.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.errors import ParamsError, at
from stages.evaluate.measures.judge import Judge
from stages.evaluate.measures.language import Language
from stages.evaluate.measures.measured_answer import Answer
from stages.evaluate.measures.number_reading import NUMERALS_VERSION, last_number
from stages.evaluate.measures.user_scorer import UserScorer
from stages.params.task_params import TaskParams

LISTED = ("numeric", "exact_match")  # what `metric` may name; those of a data file's text tasks


Measure = Callable[[Sequence[Answer]], list[float]]


@dataclass(frozen=True, slots=True)
class Scoring:
    """Germline's additions to a task's own scoring; ``identity`` is part of the suite's key.

    ``measure`` is None where lm-eval's metric scores; ``is_filtered`` says that the task's chosen
    filter stands between the generated text and the measure. ``check`` is given an item
    and raises where a user's function remembers earlier calls.
    """

    identity: Mapping[str, Any]
    measure: Measure | None = None
    language: Language | None = None
    is_filtered: bool = False
    check: Callable[[Mapping[str, Any]], None] | None = None


def scoring_of(task_params: TaskParams, metric: str | None) -> Scoring | None:
    """Return what ``task_params`` adds to lm-eval's scoring; None where it adds nothing.

    ``metric`` is the metric of ``LISTED`` that scores, if any.

    Raises:
        EvaluationError: the scorer, the judge's prompt or the language is not legal.
    """
    where = f"task {task_params.label}"
    identity: dict[str, Any] = {}
    measure: Measure | None = None
    check = None
    if task_params.scorer is not None:
        scorer = UserScorer(task_params.scorer)
        identity["scorer"], measure, check = scorer.identity, scorer.score_all, scorer.check
    elif task_params.judge is not None:
        with at(where):
            judge = Judge(task_params.judge)
        identity["judge"], measure = judge.identity, judge.grade
    elif metric == "numeric":
        identity["numeric"] = [task_params.decimal, NUMERALS_VERSION]
        measure = _by_number(task_params.decimal)
    elif metric == "exact_match":
        identity["exact_match"], measure = True, _by_text
    with at(where):
        language = Language(task_params.language) if task_params.language is not None else None
    if language is not None:
        identity["language"] = language.identity
    if not identity:
        return None
    is_filtered = task_params.filter is not None
    return Scoring({**identity, "filtered": is_filtered}, measure, language, is_filtered, check)


def _by_text(answers: Sequence[Answer]) -> list[float]:
    """Exact match: equal to an accepted answer but for white space around it, in Unicode NFC."""
    return [
        float(_trimmed(answer.text) in {_trimmed(a) for a in answer.accepted})
        for answer in answers
    ]


def _trimmed(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def _by_number(decimal: str) -> Measure:
    """The last number of the text is that of an accepted answer; equal in value, not in form."""

    def measure(answers: Sequence[Answer]) -> list[float]:
        return [_is_right(answer) for answer in answers]

    def _is_right(answer: Answer) -> float:
        right = {last_number(accepted, decimal) for accepted in answer.accepted} - {None}
        if not right:
            raise ParamsError(  # the same for every candidate: the run ends
                f"{answer.where}: its target {' or '.join(answer.accepted)!r} holds no number. "
                "The metric numeric needs one; choose another metric."
            )
        return float(last_number(answer.text, decimal) in right)

    return measure
