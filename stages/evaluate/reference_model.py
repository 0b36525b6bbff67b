"""A reference: a model that we do not hold ourselves, scored on the items of the others."""

from stages.evaluate.backends.lm_eval_model import NativeLM
from stages.evaluate.backends.model_strings import is_server, model_class, only_chats
from stages.evaluate.backends.remote_model import ServerLM
from stages.evaluate.evaluator import Evaluator
from stages.evaluate.tasks.suite import Suite
from stages.lineage.evaluation import Evaluation
from stages.params.load import EvaluateParams


def evaluate(name: str, params: EvaluateParams, suite: Suite, split: str) -> Evaluation:
    """Return what the reference ``name`` of ``params`` scores on ``split``.

    A server of conversations is shown every prompt as one, whatever candidates are shown.

    Raises:
        EvaluationError: it cannot be loaded, asked or scored.
        ServiceError: its server did not answer; the answers that came are kept.
        ParamsError: its server refuses the request, or its API key is not in the environment.
    """
    chosen, where = params.references[name], f"evaluate.references.{name}"
    kind = model_class(chosen.model, where)
    if only_chats(kind):
        params = params.model_copy(update={"apply_chat_template": True})
    backend = (ServerLM if is_server(kind) else NativeLM)(chosen, params, where)
    backend.open()
    return Evaluator(backend, params, suite).evaluate(split)
