"""A language model as judge, on a local server: verdicts, patience, and what is never lost."""

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.errors import EvaluationError, ParamsError, ServiceError
from stages.evaluate.measures import answer_files, judge_client
from stages.evaluate.measures.judge import Judge
from stages.evaluate.measures.measured_answer import Answer
from stages.evaluate.resident_evaluator import ResidentEvaluator
from stages.evaluate.tasks.suite import Suite
from stages.params.evaluate_params import EvaluateParams
from stages.params.task_params import JudgeParams
from tests.evaluate.completions_server import CompletionsServer, Reply, Request
from tests.evaluate.conftest import write_lines
from tests.evaluate.judge_server import judging, verdict

PROMPT = "Q: {{ prompt }}\nA: {{ response }}\nA number from 0 to 10:"
KEY = "sk-secret-1234"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder, and no long waits between tries."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(judge_client, "_FIRST_WAIT_S", 0.01)
    return tmp_path


def judge_at(server: CompletionsServer, **keys: Any) -> Judge:
    """Return a judge that asks ``server``."""
    given = {"url": server.url, "model": "m", "prompt": PROMPT, "retries": 2, **keys}
    return Judge(JudgeParams.model_validate(given))


def cases(*answers: str) -> list[Answer]:
    """Return a case for each answer; they are to different items."""
    return [Answer({"prompt": f"p{i}"}, a, f"task t, item {i}") for i, a in enumerate(answers)]


def length(asked: Request, _: int) -> Reply:
    """Judge an answer by its length."""
    answer = asked.prompt.split("A: ")[1].split("\n")[0]
    return verdict(str(len(answer)))


def test_score_is_the_place_on_the_scale() -> None:
    """The judge sees item and answer; its number becomes a score from 0 to 1."""
    with judging(length) as server:
        assert [0.0, 0.2, 1.0] == judge_at(server).grade(cases("", "ab", "a" * 10))
        assert [0.25] == judge_at(server, scale=(1, 5)).grade(cases("ab"))
    first = next(asked for asked in server.asked if "p1" in asked.prompt)
    expected = {"model": "m", "temperature": 0, "messages": first.body["messages"]}
    assert ("/v1/chat/completions", expected, None) == (first.path, first.body, first.key)
    assert "Q: p1\nA: ab\nA number from 0 to 10:" == first.prompt


@pytest.mark.parametrize("text", ["7", " 7\n", "7.0", "+7", "007"])
def test_reply_is_one_number(text: str) -> None:
    """A number with white space around it is a verdict."""
    with judging(lambda *_: verdict(text)) as server:
        assert [0.7] == judge_at(server).grade(cases("a"))


@pytest.mark.parametrize(
    "text", ["seven", "7/10", "Score: 7", "7.", "1e1", "", "11", "-1", "nan", None, ["7"]]
)
def test_reply_that_is_not_a_number_on_the_scale_is_a_failure(text: Any) -> None:
    """Nothing is guessed from a malformed reply; it is asked again, then named with its item."""
    with judging(lambda *_: verdict(text)) as server:
        message = r"^task t, item 0: judge m: replied .*, tried 3 times\. .*from 0 to 10"
        with pytest.raises(ServiceError, match=message):
            judge_at(server).grade(cases("a"))
        assert 3 == len(server.asked)


@pytest.mark.parametrize(
    "first",
    [
        Reply(status=429, headers={"Retry-After": "0"}),
        Reply(status=503),
        Reply(status=500, raw=b"<html>"),
        verdict("a seven"),
        Reply(raw=b"no json"),
        Reply(raw=b'{"choices": []}'),
        verdict(wait_s=0.6),
    ],
)
def test_passing_trouble_is_waited_out(first: Reply) -> None:
    """Busy, broken, slow or rambling once: the same is asked again and the verdict stands."""
    with judging(lambda asked, before: length(asked, before) if before else first) as server:
        assert [0.1, 0.2] == judge_at(server, timeout_s=0.3).grade(cases("a", "bb"))
        assert 4 == len(server.asked)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(status=429), r"judge m: HTTP status 429, tried 2 times"),
        (verdict(wait_s=0.5), r"judge m: no reply within judge\.timeout_s = 0\.1, tried 2 times"),
        (Reply(raw=b"{}"), r"judge m: replied with no chat completion, tried 2 times"),
    ],
)
def test_lasting_trouble_may_be_tried_again(reply: Reply, message: str) -> None:
    """A judge that is silent is not a fault of the candidate; verdicts before it are kept."""
    trouble = [True]

    def decide(asked: Request, before: int) -> Reply:
        return reply if trouble[0] and "p1" in asked.prompt else length(asked, before)

    with judging(decide) as server:
        judge = judge_at(server, timeout_s=0.1, retries=1, parallel=1)
        with pytest.raises(ServiceError, match=rf"^task t, item 1: {message}"):
            judge.grade(cases("a", "bb", "ccc"))
        trouble[0] = False
        del server.asked[:]
        assert [0.1, 0.2, 0.3] == judge_at(server).grade(cases("a", "bb", "ccc"))
        assert not any("p0" in asked.prompt for asked in server.asked)


def test_server_that_is_not_there_is_named() -> None:
    """No one at the address is a service error, too."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        params = JudgeParams(url=url, model="m", prompt=PROMPT, retries=0)
        with pytest.raises(ServiceError, match=r"judge m: Connect\w+, tried once"):
            Judge(params).grade(cases("a"))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 301])
def test_refusal_is_the_fault_of_the_params(status: int) -> None:
    """A wrong key, model or body ends the run at once instead of failing every candidate."""
    with judging(lambda *_: Reply(status=status)) as server:
        with pytest.raises(ParamsError, match=rf"^judge m: HTTP status {status}\. Check url"):
            judge_at(server).grade(cases("a"))
        assert 1 == len(server.asked)


def test_equal_answers_are_asked_once() -> None:
    """Of equal answers to one item the judge sees one, now and in any later run."""
    same = [Answer({"prompt": "p"}, "a", f"task t, item {i}") for i in range(3)]
    with judging(length) as server:
        assert [0.1, 0.1, 0.1] == judge_at(server).grade(same)
        assert 1 == len(server.asked)
    assert [0.1] == judge_at(server, retries=0).grade(same[:1])  # the server is gone


@pytest.mark.parametrize(
    ("keys", "num"),
    [
        ({"timeout_s": 5, "retries": 0, "parallel": 1, "api_key_env": "SOME_KEY"}, 1),
        ({"model": "other"}, 2),
        ({"prompt": PROMPT + " please"}, 2),
        ({"scale": (0, 9)}, 2),
        ({"body": {"temperature": 1}}, 2),
    ],
)
def test_verdicts_are_kept_by_what_decides_them(
    monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any], num: int
) -> None:
    """Another model, prompt, scale or body is another judge; patience, key and address are not."""
    monkeypatch.setenv("SOME_KEY", KEY)
    with judging(length) as server:
        judge_at(server).grade(cases("a"))
        judge_at(server, **keys).grade(cases("a"))
        assert num == len(server.asked)


@pytest.mark.parametrize("damaged", ['{"verd', '{"verdict": NaN}', "[]", ""])
def test_damaged_verdict_is_asked_again(project: Path, damaged: str) -> None:
    """A file cut short by a full disk costs one question, never a wrong score."""
    with judging(length) as server:
        judge_at(server).grade(cases("a"))
        (path,) = (project / ".judge").rglob("*.json")
        path.write_text(damaged)
        assert [0.1] == judge_at(server).grade(cases("a"))
        assert 2 == len(server.asked)
    assert {"verdict": 1.0} == json.loads(path.read_text())


def test_first_verdict_stands() -> None:
    """Of two workers that ask at once, both take the verdict that was kept first."""
    key = "ab" * 32
    assert 3.0 == answer_files.keep(key, 3.0)
    assert 3.0 == answer_files.keep(key, 8.0) == answer_files.find(key)


def test_verdict_is_kept_where_the_disk_knows_no_links(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On such a disk a verdict is renamed into place, and nothing else is left there."""

    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr("os.link", refuse)
    assert 3.0 == answer_files.keep("ab" * 32, 3.0) == answer_files.keep("ab" * 32, 4.0)
    assert [f"{'ab' * 32}.json"] == [
        p.name for p in (project / ".judge").rglob("*") if p.is_file()
    ]


def test_key_is_sent_and_never_written(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The API key goes into the request's header and nowhere else, also where it is refused."""
    monkeypatch.setenv("SOME_KEY", KEY)
    replies = [verdict("5"), Reply(status=401, raw=f"bad key {KEY}".encode()), verdict(KEY)]
    said = ""
    with judging(lambda asked, _: replies[int(asked.prompt[4])]) as server:
        judge = judge_at(server, api_key_env="SOME_KEY")
        one, two, three = cases("a", "a", "a")
        judge.grade([one])
        with pytest.raises(ParamsError) as refused:
            judge.grade([two])
        with pytest.raises(ServiceError) as malformed:
            judge.grade([three])
        said = f"{refused.value}{malformed.value}{judge.identity}{capfd.readouterr()}"
    assert {f"Bearer {KEY}"} == {asked.key for asked in server.asked}
    kept = "".join(path.read_text() for path in project.rglob("*.json"))
    assert KEY not in said + kept


@pytest.mark.parametrize("value", [None, "", "two\nlines", "schlüssel"])
def test_key_that_is_not_there_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """Nothing is asked without the key that params name; what is judged already needs none."""
    if value is not None:
        monkeypatch.setenv("SOME_KEY", value)
    with judging(length) as server:
        judge_at(server).grade(cases("a"))
        judge = judge_at(server, api_key_env="SOME_KEY")
        assert [0.1] == judge.grade(cases("a"))
        with pytest.raises(ParamsError, match=r"judge\.api_key_env: SOME_KEY holds no API key"):
            judge.grade(cases("another"))


def test_prompt_is_checked_before_anything_is_asked() -> None:
    """A broken template, and one that names no column, are errors that say so."""
    with judging(length) as server:
        with pytest.raises(EvaluationError, match=r"judge\.prompt: .*Fix the template"):
            judge_at(server, prompt="{{ response")
        message = r"item 0: judge\.prompt: 'promt' is undefined. It may name response .*: prompt\."
        with pytest.raises(ParamsError, match=message):
            judge_at(server, prompt="{{ promt }} {{ response }}").grade(cases("a"))
        assert not server.asked


def test_many_are_asked_at_once() -> None:
    """With parallel: 8, no verdict comes before eight are asked for."""
    asked = threading.Barrier(8)

    def decide(*_: object) -> Reply:
        asked.wait(60)
        return verdict("5")

    with judging(decide) as server:
        assert [0.5] * 8 == judge_at(server, parallel=8).grade(cases(*"abcdefgh"))


def test_judge_scores_a_task(
    project: Path, model_folder: Path, make_params: Callable[..., EvaluateParams]
) -> None:
    """A file of prompts and a judge are a task; a replay of the same weights asks nothing."""
    write_lines(project / "prompts.jsonl", [{"prompt": f"{i}+1="} for i in range(30)])
    with judging(lambda *_: verdict("8")) as server:
        judge = {"url": server.url, "model": "m", "prompt": PROMPT}
        entry = {"data": "prompts.jsonl", "judge": judge, "gen_kwargs": {"max_gen_toks": 5}}
        params = make_params(entry, include_path=None)
        evaluator = ResidentEvaluator(model_folder, params, Suite.load(params))
        (score,) = evaluator.evaluate("search").tasks
        num_asked = len(server.asked)
        again = evaluator.evaluate("search")
    assert ("judge", 10) == (score.metric, score.num_items)
    assert pytest.approx(0.8) == score.score
    assert (score, num_asked) == (again.tasks[0], len(server.asked))
    elsewhere = make_params({**entry, "judge": {**judge, "url": "http://host"}}, include_path=None)
    assert Suite.load(params).key("search") == Suite.load(elsewhere).key("search")
