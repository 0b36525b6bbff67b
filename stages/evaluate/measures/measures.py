"""How generated text is scored where lm-eval's own metrics do not do it.

A measure gives a finite number for each answer, higher is better, and a task's score is the mean.
With a language condition an answer in another language scores 0, whatever else it says; it is then
not measured at all, so that a judge is not asked about it.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.errors import ParamsError
from stages.evaluate.measures.judge import Case, Judge
from stages.evaluate.measures.language import Language
from stages.evaluate.measures.number_reading import NUMERALS_VERSION, last_number
from stages.evaluate.measures.user_scorer import UserScorer
from stages.params.task_params import TaskParams

LISTED = ("numeric", "exact_match")  # what `metric` may name; those of a data file's text tasks


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said to one item; ``text`` is what is measured, ``accepted`` what is right."""

    item: Mapping[str, Any]
    text: str
    accepted: tuple[str, ...]
    where: str


Measure = Callable[[Sequence[Answer]], list[float]]


@dataclass(frozen=True, slots=True)
class Scoring:
    """What germline adds to a task's own scoring; ``identity`` is part of the suite's key.

    ``measure`` is None where lm-eval's metric scores; ``is_filtered`` says that the task's chosen
    filter stands between the generated text and the measure. ``check`` is given an item and where
    it stands, and raises where a user's function remembers earlier calls.
    """

    identity: Mapping[str, Any]
    measure: Measure | None = None
    language: Language | None = None
    is_filtered: bool = False
    check: Callable[[Mapping[str, Any], str], None] | None = None


def scoring_of(chosen: TaskParams, metric: str | None) -> Scoring | None:
    """Return what ``chosen`` adds to lm-eval's scoring; None where it adds nothing.

    ``metric`` is that of ``LISTED`` which scores, where one does.

    Raises:
        EvaluationError: the scorer, the judge's prompt or the language is not as it must be.
    """
    where = f"task {chosen.label}"
    identity: dict[str, Any] = {}
    measure: Measure | None = None
    check = None
    if chosen.scorer is not None:
        scorer = UserScorer(chosen.scorer)
        identity["scorer"], measure, check = scorer.identity, _by_scorer(scorer), scorer.check
    elif chosen.judge is not None:
        judge = Judge(chosen.judge, where)
        identity["judge"], measure = judge.identity, _by_judge(judge)
    elif metric == "numeric":
        identity["numeric"] = [chosen.decimal, NUMERALS_VERSION]
        measure = _by_number(chosen.decimal)
    elif metric == "exact_match":
        identity["exact_match"], measure = True, _by_text
    language = Language(chosen.language, where) if chosen.language is not None else None
    if language is not None:
        identity["language"] = language.identity
    if not identity:
        return None
    is_filtered = chosen.filter is not None
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


def _by_scorer(scorer: UserScorer) -> Measure:
    return lambda answers: scorer.score_all([(a.item, a.text, a.where) for a in answers])


def _by_judge(judge: Judge) -> Measure:
    return lambda answers: judge.grade([Case(a.item, a.text, a.where) for a in answers])
