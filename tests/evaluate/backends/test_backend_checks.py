"""What a backend or a reference cannot do is said before anything is loaded or asked."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from stages.errors import EvaluationError
from stages.evaluate.backends.model_strings import identity
from stages.evaluate.tasks.suite import Suite
from stages.params.evaluate_params import EvaluateParams
from stages.params.model_params import ModelParams

pytestmark = pytest.mark.usefixtures("at_project")

MakeParams = Callable[..., EvaluateParams]
CHAT = {"model": "local-chat-completions", "model_args": {"model": "m", "base_url": "http://h/v1"}}
VLLM = {"model": "vllm"}


def hf(**model_args: Any) -> dict[str, Any]:
    """Return lm_eval's own model for folders."""
    return {"model": "hf", "model_args": model_args}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backend": {"model": "vlm"}}, r"lm_eval has no model 'vlm'.* mean 'vllm'\?"),
        ({"backend": CHAT}, r"local-chat-completions has no way to load .*evaluate\.references"),
        ({"backend": {"model": "openai-completions"}}, "cannot score candidates"),
        ({"backend": {"model": "dummy"}}, "cannot score candidates"),
        ({"backend": hf(pretrained="x")}, r"backend\.model_args: pretrained is not set here"),
        ({"backend": hf(batch_size=2)}, r"backend\.model_args: batch_size is not set here"),
        ({"backend": hf(), "model_args": {"dtype": "float32"}}, r"evaluate\.model_args: is for"),
        ({"backend": hf(), "apply_chat_template": "rag"}, "a template by name is for the residen"),
        ({"backend": {"model": "hf", "api_key_env": "K"}}, r"backend\.api_key_env: hf asks no"),
        ({"backend": VLLM, "workers": 2}, "workers is 2, but vllm is run as one engine"),
        (
            {"backend": {**VLLM, "model_args": {"tensor_parallel_size": 2}}},
            "tensor_parallel_size is 2, but vllm",
        ),
        (
            {"references": {"big": {"model": "hff"}}},
            r"references\.big: lm_eval has no model 'hff'",
        ),
        ({"references": {"big": {"model": "hf"}}}, "model_args name no model"),
        ({"references": {"big": hf(pretrained="org/x")}}, "set revision to a commit"),
        (
            {"references": {"big": {**CHAT, "model_args": {"model": "m"}}}},
            "model_args have no base_url",
        ),
        (
            {"references": {"big": {**CHAT, "model_args": {"model": "m", "base_url": "h:8000"}}}},
            r"references\.big: base_url is 'h:8000'. Give the whole address",
        ),
        (
            {"references": {"big": CHAT}},
            r"references\.big: task colours scores by log-likelihood \(multiple_choice\)",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(
    make_params: MakeParams, changes: dict[str, Any], message: str
) -> None:
    """Each fault names the key, what was given and what to do."""
    with pytest.raises(EvaluationError, match=message):
        Suite.load(make_params("colours", **changes))


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vllm is installed")
def test_engine_that_is_not_installed_is_named_with_its_extra(make_params: MakeParams) -> None:
    """Without vllm the message says how to install it."""
    with pytest.raises(EvaluationError, match=r"vllm cannot be imported: .*'\.\[vllm\]'"):
        Suite.load(make_params("sums", backend=VLLM))


def test_server_of_conversations_answers_tasks_that_generate(make_params: MakeParams) -> None:
    """With generating tasks alone such a reference is accepted."""
    Suite.load(make_params("sums", references={"big": CHAT}))


def test_keys_of_the_resident_backend_do_not_change(make_params: MakeParams) -> None:
    """`hf` and saying nothing are one key; another backend, or other arguments, are another."""
    given: list[dict[str, Any]] = [
        {},
        {"backend": "hf"},
        {"references": {"big": CHAT}},
        {"backend": hf()},
        {"backend": hf(dtype="bfloat16")},
    ]
    keys = [Suite.load(make_params("sums", **changes)).key("test") for changes in given]
    assert keys[0] == keys[1] == keys[2]
    assert 3 == len(set(keys))


def test_identity_is_the_model_not_the_address(tmp_path: Path) -> None:
    """Another address or patience is the same model; a folder is its content."""
    arguments: dict[str, Any] = {"model": "m", "base_url": "http://a/v1", "timeout": 3}
    served = ModelParams(model="local-completions", model_args=arguments)
    moved = served.model_copy(update={"model_args": {**arguments, "base_url": "http://b/v1"}})
    other = served.model_copy(update={"model_args": {**arguments, "model": "n"}})
    assert identity(served) == identity(moved)
    assert identity(served) != identity(other)
    local = ModelParams.model_validate(hf(pretrained=str(tmp_path)))
    (tmp_path / "a.txt").write_text("1")
    first = identity(local)
    (tmp_path / "a.txt").write_text("2")
    assert first != identity(local)
    assert str(tmp_path) not in str(first)
