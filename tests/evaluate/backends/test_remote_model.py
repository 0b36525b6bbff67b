"""References behind a server: scores, what is kept, and every way that a server can fail."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from stages.errors import EvaluationError, ParamsError, ServiceError
from stages.evaluate import reference_model, stage
from stages.evaluate.tasks.suite import Suite
from stages.lineage.evaluation import Evaluation
from stages.params.evaluate_params import EvaluateParams
from tests.evaluate.completions_server import (
    CompletionsServer,
    Reply,
    Request,
    completion,
    serving,
)
from tests.evaluate.conftest import suite_of

MakeParams = Callable[..., EvaluateParams]
KEY = "sk-secret-1234"
CHAT, TEXT = "local-chat-completions", "local-completions"


@pytest.fixture(autouse=True)
def own_project(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the project's tasks and data, so that no test finds the answers of another."""
    for name in ("tasks", "data"):
        (tmp_path / name).symlink_to(project / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return tmp_path


def asking(
    make: MakeParams, server: CompletionsServer, model: str, *tasks: str, **more: Any
) -> EvaluateParams:
    """Return params with one reference, called big, at ``server``."""
    path = "chat/completions" if model == CHAT else "completions"
    given = {"base_url": f"{server.url}/{path}", "model": "m", "max_retries": 1, "timeout": 5}
    if model == TEXT:
        given["tokenizer_backend"] = "none"
    given |= more.pop("model_args", {})
    return make(*tasks, references={"big": {"model": model, "model_args": given, **more}})


def suite_without_references(params: EvaluateParams) -> Suite:
    """Return the suite of ``params`` without references, each of which has its own port."""
    plain = params.model_copy(update={"references": {}})
    return suite_of(plain, Path("tasks").resolve().parent)


def scored(params: EvaluateParams) -> Evaluation:
    """Return what the reference scores on the test split."""
    return reference_model.evaluate("big", params, suite_without_references(params), "test")


def echo(request: Request, _: int) -> Reply:
    """Answer with a text that depends on the prompt, and ends where the task stops."""
    return completion(request, f"said {request.prompt[:2]}")


def fingerprint(text: str) -> float:
    """Return the score that the task's metric gives a text."""
    return sum(ord(c) * (i + 1) for i, c in enumerate(text)) % 101 / 101


@pytest.mark.parametrize("model", [CHAT, TEXT])
@pytest.mark.parametrize("parallel", [1, 4])
def test_texts_of_a_server_are_scored_item_for_item(
    make_params: MakeParams, model: str, parallel: int
) -> None:
    """Each item has the score of the text that its own prompt was answered with."""
    with serving(echo) as server:
        params = asking(
            make_params, server, model, "sums", model_args={"num_concurrent": parallel}
        )
        evaluation = scored(params)
        suite = suite_without_references(params)
    (part,) = suite.parts["test"]
    questions = {i: part.loaded.task.eval_docs[p]["question"] for i, p in part.places.items()}
    expected = [fingerprint(f"said {questions[row.item][:2]}") for row in evaluation.items]
    assert expected == [row.score for row in evaluation.items]
    assert 9 == len(server.asked)
    assert {"m"} == {asked.body["model"] for asked in server.asked}
    assert {("e", "3;")} == {tuple(asked.body["stop"][:2]) for asked in server.asked}
    assert 12 == server.asked[0].body["max_tokens"]


def test_likelihoods_of_a_server_are_those_of_its_model(
    make_params: MakeParams, model_folder: Path
) -> None:
    """A server of the pico model gives the scores that the resident model has."""
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32)

    def decide(request: Request, _: int) -> Reply:
        (tokens,) = request.body["prompt"]
        with torch.no_grad():
            logits = model(torch.tensor([tokens])).logits[0].log_softmax(dim=-1)
        values = [float(logits[i, t]) for i, t in enumerate(tokens[1:])]
        top = [{"x": float(logits[i].max())} for i in range(len(tokens))]
        logprobs = {
            "token_logprobs": [None, *values, 0.0],
            "top_logprobs": [None, *top],
        }
        return Reply({"choices": [{"index": 0, "text": "", "logprobs": logprobs}]})

    own = {"tokenizer": str(model_folder), "tokenizer_backend": "huggingface"}
    with serving(decide) as server:
        evaluation = scored(asking(make_params, server, TEXT, "colours", model_args=own))
    resident = stage.run(model_folder, make_params("colours"), "test")
    assert resident.to_dict() == evaluation.to_dict()


def test_conversation_is_shown_as_messages(make_params: MakeParams) -> None:
    """A chat server gets system and user messages, also where candidates get plain prompts."""
    with serving(echo) as server:
        params = asking(make_params, server, CHAT, "sums")
        scored(params.model_copy(update={"system_instruction": "add"}))
    messages = server.asked[0].body["messages"]
    assert ["system", "user"] == [message["role"] for message in messages]
    assert "add" == messages[0]["content"]


def test_failure_loses_no_answer_and_may_be_tried_again(make_params: MakeParams) -> None:
    """After a failure only what was not answered is asked, and the scores are the same."""

    def fails_later(request: Request, before: int) -> Reply:
        return echo(request, 0) if before != 5 else Reply(status=503)

    with serving(fails_later) as server:
        params = asking(make_params, server, CHAT, "sums")
        with pytest.raises(ServiceError, match=r"references\.big: HTTP status 503; .* are kept"):
            scored(params)
        evaluation = scored(params)
        assert 5 + 1 + 4 == len(server.asked)
        assert evaluation == scored(params)
        assert 10 == len(server.asked)
    with serving(echo) as server:
        assert evaluation == scored(asking(make_params, server, CHAT, "sums"))
        assert [] == server.asked


def test_busy_server_is_asked_again(make_params: MakeParams) -> None:
    """HTTP 429 is tried as often as max_retries says."""

    def busy(request: Request, before: int) -> Reply:
        return Reply(status=429) if before == 0 else echo(request, 0)

    with serving(busy) as server:
        scored(asking(make_params, server, CHAT, "sums", model_args={"max_retries": 2}))
    assert 10 == len(server.asked)


NO_COMPLETION = "replied with no completion"
BUSY = (Reply(status=503), (ServiceError, "HTTP status 503"))
# Of both ways to ask, one request at a time or several: all four for one fault.
FAULTS = [
    (TEXT, 1, *BUSY),
    (TEXT, 3, *BUSY),
    (CHAT, 1, *BUSY),
    (CHAT, 3, *BUSY),
    (CHAT, 1, Reply(status=429), (ServiceError, "HTTP status 429")),
    (
        *(TEXT, 3, Reply(status=401, raw=KEY.encode())),
        (ParamsError, "HTTP status 401. .*the key in MY_KEY"),
    ),
    (CHAT, 3, Reply(raw=b"{not json"), (ServiceError, "JSON")),
    (TEXT, 1, Reply({"error": KEY}), (ServiceError, NO_COMPLETION)),
    (TEXT, 3, Reply({"choices": []}), (ServiceError, NO_COMPLETION)),
    (CHAT, 1, Reply({"choices": []}), (ServiceError, NO_COMPLETION)),
    (CHAT, 3, Reply([1, 2]), (ServiceError, NO_COMPLETION)),
    (TEXT, 1, Reply({"choices": [{"index": 0}]}), (ServiceError, NO_COMPLETION)),
    (CHAT, 1, Reply({"choices": [{"index": 0}]}), (ServiceError, NO_COMPLETION)),
    (CHAT, 3, Reply(wait_s=3.0), (ServiceError, "Timeout")),
]


@pytest.mark.parametrize(("model", "parallel", "reply", "fault"), FAULTS)
def test_server_that_gives_no_answer_is_one_clear_error(
    make_params: MakeParams,
    own_project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    *,
    model: str,
    parallel: int,
    reply: Reply,
    fault: tuple[type[Exception], str],
) -> None:
    """Busy, slow, refusing or garbled: the reference is named, and the API key is nowhere."""
    monkeypatch.setenv("MY_KEY", KEY)
    error, message = fault
    own = {"num_concurrent": parallel, "timeout": 1}
    with serving(lambda *_: reply) as server:
        params = asking(make_params, server, model, "sums", model_args=own, api_key_env="MY_KEY")
        with pytest.raises(error, match=message) as caught:
            scored(params)
    assert "evaluate.references.big: " in str(caught.value)
    assert {f"Bearer {KEY}"} == {asked.key for asked in server.asked}
    assert KEY not in str(caught.value)
    assert KEY not in "".join(capfd.readouterr())
    assert not (own_project / ".answers").exists()


def test_server_that_is_not_there_is_named(make_params: MakeParams) -> None:
    """No connection is a failure of the service, too."""
    with serving(echo) as server:
        params = asking(make_params, server, CHAT, "sums")
    with pytest.raises(ServiceError, match=r"references\.big: ConnectionError"):
        scored(params)


def test_refused_content_is_an_empty_answer(make_params: MakeParams) -> None:
    """A reply with null as its text is an answer, and a wrong one, as lm_eval has it."""
    with serving(lambda request, _: completion(request, None)) as server:
        evaluation = scored(asking(make_params, server, CHAT, "sums"))
    assert {0.0} == {row.score for row in evaluation.items}


def test_nan_of_a_server_is_a_failure(make_params: MakeParams, model_folder: Path) -> None:
    """A log-likelihood that is not a number is refused, with task and item."""

    def decide(request: Request, _: int) -> Reply:
        count = len(request.body["prompt"][0]) + 1
        unknown = {
            "token_logprobs": [float("nan")] * count,
            "top_logprobs": [{"x": 0.0}] * count,
        }
        return Reply({"choices": [{"index": 0, "logprobs": unknown, "text": ""}]})

    own = {"tokenizer": str(model_folder), "tokenizer_backend": "huggingface"}
    with serving(decide) as server:
        params = asking(make_params, server, TEXT, "colours", model_args=own)
        with pytest.raises(EvaluationError, match=r"task colours, item [0-9a-f]{16}: .* nan"):
            scored(params)


def test_key_goes_only_where_it_is_meant_to_go(
    make_params: MakeParams, monkeypatch: pytest.MonkeyPatch, own_project: Path
) -> None:
    """$OPENAI_API_KEY is not sent to a local server; the variable that is named is."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(echo) as server:
        scored(asking(make_params, server, CHAT, "sums"))
        assert {None} == {asked.key for asked in server.asked}
        named = asking(make_params, server, TEXT, "sums", api_key_env="OPENAI_API_KEY")
        scored(named)
        assert f"Bearer {KEY}" == server.asked[-1].key
        missing = asking(make_params, server, TEXT, "sums", api_key_env="NO_KEY")
        with pytest.raises(ParamsError, match="NO_KEY holds no API key in the environment"):
            scored(missing)
    kept = [path.read_text() for path in (own_project / ".answers").rglob("*.json")]
    assert 18 == len(kept)
    assert KEY not in json.dumps([kept, named.model_dump(mode="json")])


def test_sampled_texts_are_not_kept(make_params: MakeParams, own_project: Path) -> None:
    """A text that is drawn at random answers one request alone."""
    with serving(echo) as server:
        params = asking(make_params, server, CHAT, "sums")
        drawn = {"do_sample": True, "temperature": 0.7}
        scored(params.model_copy(update={"gen_kwargs": drawn}))
    assert 0.7 == server.asked[0].body["temperature"]
    assert not (own_project / ".answers").exists()
