"""Merges each child into the resident model, whose evaluator is told what its layers hold."""

from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.merge.outputs.model_folder import ResidentSink
from stages.merge.plan.plan import Plan


class FollowedSink:
    """A sink whose evaluator need not run again the layers that two children begin with."""

    def __init__(self, evaluator: ResidentEvaluator) -> None:
        self._evaluator = evaluator
        self._sink = ResidentSink(evaluator.model)

    def load(self, plan: Plan) -> str:
        """Replace the model's weights with the child's; return the child's weights hash.

        Raises:
            RecipeError: a tensor cannot be merged, or the model's tensors are not the child's.
        """
        weights_hash = self._sink.load(plan)
        self._evaluator.follow(self._sink.layers, self._sink.contents)
        return weights_hash
