"""The door of the evaluate room: a written model folder in, its evaluation out."""

from pathlib import Path

from stages.evaluate.backends.lm_eval_model import NativeLM
from stages.evaluate.evaluator import Evaluator
from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.evaluate.tasks.suite import Suite
from stages.lineage.evaluation import Evaluation
from stages.params.evaluate_params import EvaluateParams


def run(model_folder: Path, params: EvaluateParams, split: str) -> Evaluation:
    """Return the scores of the model of ``model_folder`` on ``split``.

    Raises:
        EvaluationError: a task or the model cannot be used, or a score is not finite.
    """
    return evaluator_of(model_folder, params, Suite.load(params)).evaluate(split)


def evaluator_of(model_folder: Path, params: EvaluateParams, suite: Suite) -> Evaluator:
    """Return what scores the model of ``model_folder`` on ``suite``.

    Raises:
        EvaluationError: the model cannot be loaded.
        ParamsError: the backend that params name cannot load it.
    """
    if params.backend is None:
        return ResidentEvaluator(model_folder, params, suite)
    engine = NativeLM(
        params.backend, "evaluate.backend", device=params.device, batch_size=params.batch_size
    )
    engine.load(model_folder)
    return Evaluator(engine, params, suite)
