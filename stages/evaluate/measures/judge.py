"""A language model as judge, behind an OpenAI-compatible address (POST <url>/chat/completions).

It is shown ``judge.prompt`` with the item and the answer filled in, and must reply with a number
on ``judge.scale`` and nothing else. The score is that number's place on the scale, from 0 to 1.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jinja2 import TemplateError
from jinja2.exceptions import SecurityError

from stages.errors import EvaluationError, ParamsError, at, words_of
from stages.evaluate.measures import answer_files, judge_client
from stages.evaluate.measures.judge_client import Question
from stages.evaluate.measures.measured_answer import Answer
from stages.hashing import content_hash
from stages.params.task_params import JudgeParams
from stages.templates import sandbox, shows

_ANSWER = "response"  # the name under which a prompt shows the answer


class Judge:
    """Grades answers; equal ones are asked once in a project's life (``answer_files.py``)."""

    def __init__(self, params: JudgeParams) -> None:
        """Keep ``params``; nothing is asked yet.

        Raises:
            EvaluationError: the prompt is not a template.
        """
        self._params = params
        try:
            self._prompt = sandbox().from_string(params.prompt)
        except TemplateError as error:
            raise EvaluationError(f"judge.prompt: {words_of(error)}. Fix the template.") from error

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides a verdict: the model's name, the prompt, the scale, the request's body.

        Not the address: the same model may be served elsewhere.
        """
        wanted = {"model", "prompt", "scale", "body"}
        return self._params.model_dump(mode="json", include=wanted)

    def check(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Check that the prompt shows the answer to each of ``items``.

        Raises:
            ParamsError: the prompt hides an answer, or an item has a column of the answer's name.
        """
        for i, item in enumerate(items):
            with at(f"document {i} (the first is 0)"):
                self._refuse_blind(item)

    def grade(self, answers: Sequence[Answer]) -> list[float]:
        """Return each answer's score, from 0 to 1.

        Verdicts are kept as they come, so that a failure or a kill loses none of them.

        Raises:
            ServiceError: the judge cannot be reached, is busy or too slow, or does not reply with
                a number on the scale, also when tried again.
            ParamsError: the judge refuses the request, the API key is not set, or the
                prompt cannot be filled in or does not show the answer.
        """
        prompts = []
        for answer in answers:
            with at(answer.where):
                prompts.append(self._shown(answer))
        keys = [content_hash(["judge", self.identity, prompt]) for prompt in prompts]
        known = {key: answer_files.find(key) for key in keys}
        missing = {k: i for i, k in reversed(list(enumerate(keys))) if known[k] is None}
        if missing:
            places = sorted(missing.values())
            questions = [Question(prompts[p], answers[p].where, keys[p]) for p in places]
            asked = judge_client.ask(self._params, questions)
            known |= dict(zip((keys[p] for p in places), asked, strict=True))
        low, high = self._params.scale
        return [(known[key] - low) / (high - low) for key in keys]  # type: ignore[operator]

    def _shown(self, answer: Answer) -> str:
        self._refuse_blind(answer.item)
        try:
            return self._prompt.render({**answer.item, _ANSWER: answer.text})
        except Exception as error:
            raise ParamsError(  # the same for every candidate: the run ends
                f"judge.prompt: {words_of(error)}. It may name {_ANSWER} and "
                f"the item's columns: {', '.join(map(str, answer.item))}."
            ) from error

    def _refuse_blind(self, item: Mapping[str, Any]) -> None:
        """Raise where the judge would not see the answer that it grades."""
        if _ANSWER in item:
            raise ParamsError(
                f"has a column {_ANSWER!r}, and judge.prompt calls the answer that is "
                f"graded {{{{ {_ANSWER} }}}}. Give the column another name."
            )
        try:
            is_shown = shows(self._prompt, item, _ANSWER)
        except SecurityError as error:
            raise ParamsError(
                f"judge.prompt: {words_of(error)}. A template may show columns and the answer, "
                "and reach nothing else."
            ) from error
        except Exception:  # noqa: BLE001  told when the real answer is filled in
            return
        if not is_shown:
            raise ParamsError(
                f"judge.prompt does not show {{{{ {_ANSWER} }}}}: two different answers "
                "make the same request, or it is cut out of both. Show the whole answer for "
                "every item."
            )
