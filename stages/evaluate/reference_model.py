"""Score a reference: a model that germline did not make, on the same items as the others."""

from stages.errors import at
from stages.evaluate.backends.lm_eval_model import NativeLM
from stages.evaluate.backends.model_strings import is_server, model_class, only_chats
from stages.evaluate.backends.remote_model import ServerLM
from stages.evaluate.evaluator import Evaluator
from stages.evaluate.tasks.suite import Suite
from stages.lineage.evaluation import Evaluation
from stages.params.evaluate_params import EvaluateParams


def evaluate(name: str, params: EvaluateParams, suite: Suite, split: str) -> Evaluation:
    """Return the scores of the reference ``name`` of ``params`` on ``split``.

    A server of conversations gets every prompt as a conversation, whatever candidates get.

    Raises:
        EvaluationError: the reference cannot be loaded, asked or scored.
        ServiceError: its server did not answer; the answers that came are kept.
        ParamsError: its server refuses the request, or its API key is not in the environment.
    """
    model_params, where = params.references[name], f"evaluate.references.{name}"
    with at(where):
        kind = model_class(model_params.model)
    if only_chats(kind):
        params = params.model_copy(update={"apply_chat_template": True})
    engine = ServerLM if is_server(kind) else NativeLM
    backend = engine(model_params, where, device=params.device, batch_size=params.batch_size)
    backend.open()
    return Evaluator(backend, params, suite).evaluate(split)
