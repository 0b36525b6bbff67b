"""The door of the evaluate room: a written model folder in, its evaluation out."""

from pathlib import Path

from stages.evaluate.resident import ResidentEvaluator
from stages.evaluate.suite import Suite
from stages.params import EvaluateParams
from stages.scores import Evaluation


def run(model_folder: Path, params: EvaluateParams, split: str) -> Evaluation:
    """Return what the model of ``model_folder`` scores on ``split``.

    Raises:
        EvaluationError: a task, the model or a score is not as it needs to be.
    """
    return ResidentEvaluator(model_folder, params, Suite.load(params)).evaluate(split)
