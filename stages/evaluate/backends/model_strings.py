"""lm_eval's model strings: which exist, what each can do, and which arguments decide scores."""

import inspect
from pathlib import Path
from typing import Any

from stages.errors import EvaluationError, kind_and_words
from stages.evaluate.quiet_lm_eval import sealed
from stages.hashing import file_hash, nearest
from stages.params.model_params import ModelParams

# The address and patience of a request: the same model may be served elsewhere.
_NOT_DECIDING = (
    "base_url",
    "ca_cert_path",
    "max_retries",
    "num_concurrent",
    "timeout",
    "verify_certificate",
)


def model_class(name: str) -> Any:
    """Return lm_eval's class for a model string.

    Raises:
        EvaluationError: there is none, or a package that it needs is not installed.
    """
    with sealed():
        import lm_eval.models  # noqa: F401  it fills the registry
        from lm_eval.api.registry import get_model, model_registry

        names = sorted(model_registry.keys())
        if name not in names:
            raise EvaluationError(
                f"lm_eval has no model {name!r}. Legal: {', '.join(names)}.{nearest(name, names)}"
            )
        try:
            return get_model(name)
        except Exception as error:
            raise EvaluationError(
                f"model {name} cannot be imported: {kind_and_words(error)}. "
                "Install what it needs; vllm with pip install '.[vllm]' in a checkout of germline."
            ) from error


def is_server(kind: Any) -> bool:
    """Tell whether a class asks a server through lm_eval's own client."""
    from lm_eval.models.api_models import TemplateAPI

    return issubclass(kind, TemplateAPI)


def loads_folders(kind: Any) -> bool:
    """Tell whether a class loads the model folder in ``pretrained``."""
    makers = [vars(base)["__init__"] for base in kind.__mro__ if "__init__" in vars(base)]
    named = any("pretrained" in inspect.signature(maker).parameters for maker in makers[:-1])
    return named and not is_server(kind)


def only_chats(kind: Any) -> bool:
    """Tell whether a class takes only conversations: no plain prompts, no log-likelihoods."""
    from lm_eval.models.openai_completions import LocalChatCompletion

    return issubclass(kind, LocalChatCompletion)


def identity(model_params: ModelParams) -> dict[str, Any]:
    """Return the part of the parameters that decides answers; a folder by its content."""
    deciding = {k: v for k, v in model_params.model_args.items() if k not in _NOT_DECIDING}
    folder = Path(str(deciding.get("pretrained", "")))
    if "pretrained" in deciding and folder.is_dir():
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        deciding["pretrained"] = {p.relative_to(folder).as_posix(): file_hash(p) for p in files}
    return {"model": model_params.model, "model_args": deciding}
