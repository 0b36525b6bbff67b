"""A reference: a model that we do not hold ourselves, scored on the items of the others."""

from stages.evaluate.backends.native import NativeLM
from stages.evaluate.backends.registry import is_server, model_class, only_chats
from stages.evaluate.backends.server import ServerLM
from stages.evaluate.evaluator import Evaluator
from stages.evaluate.suite import Suite
from stages.params import EvaluateParams
from stages.scores import Evaluation


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
