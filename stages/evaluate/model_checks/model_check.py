"""Whether a model can be asked what a suite asks, told from its files without its weights."""

from pathlib import Path
from typing import TYPE_CHECKING

from stages.errors import EvaluationError, Faults, words_of
from stages.evaluate.evaluator import Evaluator
from stages.evaluate.quiet_lm_eval import sealed
from stages.evaluate.tasks.suite import Suite
from stages.params.evaluate_params import EvaluateParams

if TYPE_CHECKING:  # it imports lm-eval's models: seconds
    from stages.evaluate.model_checks.weightless_model import WeightlessLM

_ATTENTION = "attn_implementation"
_PLAIN = {"apply_chat_template": False, "fewshot_as_multiturn": None}


def check_model(folder: Path, params: EvaluateParams, suite: Suite | None) -> None:
    """Check the config, the tokenizer and the prompts of the model in ``folder``.

    With no suite, its prompts are not checked.

    Raises:
        EvaluationError: an argument of the model is not one that it takes, there is no chat
            template, or prompts are too long; all faults are listed, of each task the first.
    """
    faults = Faults()
    with sealed():
        model = _opened(folder, params, faults)
    has_template = False
    with faults.at(""):
        model.use_template(params.apply_chat_template)
        has_template = True
    with faults.at(""):
        model.check_prefix()
    if suite is not None:
        asked = params if has_template else params.model_copy(update=_PLAIN)
        with faults.at(""):
            evaluator = Evaluator(model, asked, suite)
            for split in suite.parts:
                evaluator.prepare(split)
    faults.raise_as(EvaluationError)


def _opened(folder: Path, params: EvaluateParams, faults: Faults) -> "WeightlessLM":
    """Return the model; without ``attn_implementation``, a fault, where that is what is wrong."""
    from stages.evaluate.model_checks.weightless_model import WeightlessLM

    try:
        return WeightlessLM.open(folder, params)
    except EvaluationError as error:
        others = {name: value for name, value in params.model_args.items() if name != _ATTENTION}
        if others == params.model_args:
            raise
        try:
            model = WeightlessLM.open(folder, params.model_copy(update={"model_args": others}))
        except EvaluationError:
            raise error from error.__cause__
        faults.add(
            f"evaluate.model_args: {_ATTENTION} is {params.model_args[_ATTENTION]!r}, which the "
            f"model does not take: {words_of(error.__cause__ or error)}. Take sdpa or "
            "eager, or remove it, so that transformers chooses."
        )
        return model
