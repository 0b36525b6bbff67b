"""The resident evaluator: one model in this process, whose weights the caller replaces."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from stages.evaluate.evaluator import Evaluator
from stages.evaluate.quiet_lm_eval import sealed
from stages.evaluate.tasks.suite import Suite
from stages.params.evaluate_params import EvaluateParams


class ResidentEvaluator(Evaluator):
    """Scores the weights that ``model`` holds at the moment."""

    def __init__(self, model_folder: Path, params: EvaluateParams, suite: Suite) -> None:
        """Load the model of ``model_folder``.

        Raises:
            EvaluationError: the model cannot be loaded, or lacks the chat template of params.
        """
        torch.set_num_threads(params.threads)
        with sealed():
            from stages.evaluate.resident.language_model import ResidentLM

            resident = ResidentLM.open(model_folder, params)
        resident.use_template(params.apply_chat_template)
        super().__init__(resident, params, suite)
        self._model: nn.Module = resident.model
        self.states = resident.states

    @property
    def model(self) -> nn.Module:
        """The model whose weights are scored."""
        return self._model

    def follow(self, layers: Sequence[nn.Module], contents: Sequence[str]) -> None:
        """Take note of the child that the model holds now, as ``KeptStates`` says."""
        self.states.follow(layers, contents)
