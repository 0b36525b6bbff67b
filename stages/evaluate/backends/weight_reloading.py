"""Load new weights into a running engine, for those engines of lm_eval that can."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stages.errors import EvaluationError


def reload_vllm(lm: Any, folder: Path) -> None:
    """Replace the weights of lm_eval's vLLM engine by those of ``folder``, in place.

    What the engine computed with the old weights, its prefix cache, is dropped.

    Raises:
        EvaluationError: the engine does not drop its cache.

    Source: vLLM 0.19.1 and 0.33, LLM.collective_rpc, Worker.reload_weights, reset_prefix_cache.
    """
    engine = lm.model
    engine.collective_rpc("reload_weights", kwargs={"weights_path": str(folder.absolute())})
    if not engine.reset_prefix_cache():
        raise EvaluationError(
            "vllm: its prefix cache still holds what the weights before gave. Set "
            "enable_prefix_caching: false under evaluate.backend.model_args."
        )


RELOADERS: dict[str, Callable[[Any, Path], None]] = {"vllm": reload_vllm}

# Set before an engine starts. A worker of the pool may start no process.
ENVIRONMENT = {"vllm": {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}}
