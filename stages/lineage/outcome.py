"""What became of a candidate on one split: an evaluation, or an error."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from stages.lineage.evaluation import Evaluation

# Task, item, prompt, the right answer where it is a text, and what the model answered.
ItemAnswer = tuple[str, str, str, str | None, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The evaluation and the weights hash; or ``error``, which is None where it was scored.

    ``weights_hash`` is None where the merge failed, and for a model that is not a merge.
    ``answers`` are what the model said, where a job asked for that.
    """

    weights_hash: str | None
    evaluation: Evaluation | None
    error: str | None = None
    answers: tuple[ItemAnswer, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain JSON data; ``from_dict`` is its inverse."""
        answers = {} if self.answers is None else {"answers": [list(one) for one in self.answers]}
        return {
            "error": self.error,
            "evaluation": self.evaluation.to_dict() if self.evaluation else None,
            "weights_hash": self.weights_hash,
            **answers,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the outcome that ``to_dict`` wrote.

        Raises:
            KeyError, TypeError, ValueError: it did not write ``data``.
        """
        evaluation, answers = data["evaluation"], data.get("answers")
        return cls(
            data["weights_hash"],
            Evaluation.from_dict(evaluation) if evaluation is not None else None,
            data["error"],
            None if answers is None else tuple(_answer(*one) for one in answers),
        )


def _answer(task: str, item: str, prompt: str, target: str | None, answer: str) -> ItemAnswer:
    return task, item, prompt, target, answer
