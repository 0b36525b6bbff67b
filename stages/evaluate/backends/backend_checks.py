"""Check that the models in params.yaml can do what is asked of them, before any is loaded."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stages.errors import EvaluationError, at
from stages.evaluate.backends.model_strings import loads_folders, model_class, only_chats
from stages.params.evaluate_params import EvaluateParams
from stages.params.model_params import ModelParams

_BACKEND = "evaluate.backend"
# Arguments of a candidate's model that germline sets itself, or that would change the model.
_NOT_A_CANDIDATES = (
    "batch_size",
    "delta",
    "device",
    "gguf_file",
    "lora_local_path",
    "peft",
    "pretrained",
    "revision",
    "subfolder",
    "tokenizer",
)
_WHOLE_GPU = ("sglang", "trtllm", "vllm", "vllm-vlm")  # these take the memory of a GPU for one
_PARALLEL = ("data_parallel_size", "tensor_parallel_size")


def check_backend(params: EvaluateParams) -> None:
    """Check that ``evaluate.backend`` can score candidates.

    Raises:
        EvaluationError: it cannot, or its arguments are set elsewhere.
    """
    backend = params.backend
    if backend is None:
        return
    _check_arguments(backend)
    _check_alone(backend, params.workers)
    with at(_BACKEND):
        kind = model_class(backend.model)
    if not loads_folders(kind):
        raise EvaluationError(
            f"{_BACKEND}: {backend.model} has no way to load a candidate's weights, so it cannot "
            "score candidates. Take hf, vllm or another model that loads a folder; to compare "
            f"the champion with what {backend.model} serves, name it under evaluate.references."
        )
    if params.model_args:
        raise EvaluationError(
            "evaluate.model_args: is for the resident model, but evaluate.backend is "
            f"{backend.model}. Move its keys to evaluate.backend.model_args."
        )
    if isinstance(params.apply_chat_template, str):
        raise EvaluationError(
            f"evaluate.apply_chat_template: is {params.apply_chat_template!r}; a template by name "
            "is for the resident model alone. Set true or false, or remove evaluate.backend."
        )


def _check_alone(backend: ModelParams, workers: int) -> None:
    """Check that an engine which takes a GPU for itself is one process on one GPU."""
    counts = {n: int(backend.model_args.get(n, 1)) for n in _PARALLEL} | {"workers": workers}
    for name, count in counts.items():
        if backend.model in _WHOLE_GPU and count > 1:
            raise EvaluationError(
                f"{_BACKEND}: {name} is {count}, but {backend.model} is run as one engine on one "
                "GPU, whose memory it takes for itself. Set it to 1."
            )


def _check_arguments(backend: ModelParams) -> None:
    for name in _NOT_A_CANDIDATES:
        if name in backend.model_args:
            raise EvaluationError(
                f"{_BACKEND}.model_args: {name} is not set here: germline gives each candidate's "
                "folder, and evaluate.batch_size and evaluate.device say the rest. Remove it."
            )
    if backend.api_key_env is not None:
        raise EvaluationError(
            f"{_BACKEND}.api_key_env: {backend.model} asks no server. Remove it."
        )


def check_references(params: EvaluateParams, kinds: Iterable[tuple[str, str]]) -> None:
    """Check that ``evaluate.references`` can answer; ``kinds``: (task, its output type).

    Raises:
        EvaluationError: a reference is unknown, names no model, or cannot give what a task needs.
    """
    for name, reference in params.references.items():
        with at(f"evaluate.references.{name}"):
            _check_reference(reference, kinds)


def _check_reference(reference: ModelParams, kinds: Iterable[tuple[str, str]]) -> None:
    kind = model_class(reference.model)
    model_args = reference.model_args
    if not {"model", "pretrained", "engine"} & set(model_args):
        raise EvaluationError(
            "model_args name no model. Set model to the name it is served under, or pretrained "
            "to its folder or hub name."
        )
    if loads_folders(kind):
        _check_pinned(model_args)
        return
    address = str(model_args.get("base_url", ""))
    is_needed = reference.model.startswith("local-") or bool(address)
    if is_needed and not address.startswith(("http://", "https://")):
        said = f"base_url is {address!r}" if address else "model_args have no base_url"
        raise EvaluationError(
            f"{said}. Give the whole address, such as http://localhost:8000/v1/chat/completions."
        )
    for task, output in kinds:
        if only_chats(kind) and output != "generate_until":
            raise EvaluationError(
                f"task {task} scores by log-likelihood ({output}), which {reference.model} does "
                "not give. Take local-completions, or only tasks that generate."
            )


def _check_pinned(model_args: dict[str, Any]) -> None:
    if not Path(str(model_args.get("pretrained"))).is_dir() and "revision" not in model_args:
        raise EvaluationError(
            f"pretrained is {model_args.get('pretrained')!r}, which is not a folder, and "
            "model_args give no revision. A model of the hub can change; set revision to a commit."
        )
