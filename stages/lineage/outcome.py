"""What became of a candidate on one split: an evaluation, or an error."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from stages.lineage.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class Outcome:
    """The evaluation and the weights hash; or ``error``, which is None where it was scored.

    ``weights_hash`` is None where the merge failed, and for a model that is not a merge.
    """

    weights_hash: str | None
    evaluation: Evaluation | None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain JSON data; ``from_dict`` is its inverse."""
        return {
            "error": self.error,
            "evaluation": self.evaluation.to_dict() if self.evaluation else None,
            "weights_hash": self.weights_hash,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the outcome that ``to_dict`` wrote.

        Raises:
            KeyError, TypeError, ValueError: it did not write ``data``.
        """
        evaluation = data["evaluation"]
        return cls(
            data["weights_hash"],
            Evaluation.from_dict(evaluation) if evaluation is not None else None,
            data["error"],
        )
