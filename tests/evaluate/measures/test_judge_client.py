"""A judge's server that misbehaves: every wait has an end, and nothing is asked after it."""

import contextlib
import gzip
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stages.errors import ParamsError, ServiceError
from stages.evaluate.measures import answer_files, judge_client
from stages.evaluate.measures.judge_client import Question, ask
from stages.params.task_params import JudgeParams
from tests.evaluate.completions_server import CompletionsServer, Reply, Request
from tests.evaluate.judge_server import judging, verdict


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder, and no long waits between tries."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(judge_client, "_FIRST_WAIT_S", 0.01)
    return tmp_path


def ask_of(server: CompletionsServer, num: int = 1, **keys: Any) -> list[float]:
    """Ask ``server`` about answers 0 to ``num`` - 1."""
    given = {"url": server.url, "model": "m", "prompt": "{{ response }}", "retries": 0, **keys}
    params = JudgeParams.model_validate(given)
    return ask(params, [Question(str(i), f"item {i}", f"{i:02d}" * 32) for i in range(num)])


def asked_of(url: str) -> tuple[JudgeParams, list[Question]]:
    """Return one question for the judge at an address, to be asked once."""
    given = {"url": url, "model": "m", "prompt": "{{ response }}", "retries": 0}
    return JudgeParams.model_validate(given), [Question("0", "item 0", "00" * 32)]


@contextmanager
def answering_once(raw: bytes) -> Iterator[str]:
    """Run a server that reads one request, sends some bytes and hangs up; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(raw)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1 << 16):  # unread bytes would make the end a reset
                        pass

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        thread.join()


def test_deadline_bounds_the_whole_reply() -> None:
    """A server that sends a byte now and then is not waited for longer than timeout_s."""
    drip = verdict()
    drip.drip_s = 0.1
    with (
        judging(lambda *_: drip) as server,
        pytest.raises(ServiceError, match=r"no reply within judge\.timeout_s = 0\.4, tried once"),
    ):
        ask_of(server, timeout_s=0.4)


@pytest.mark.timeout(120)  # where a verdict is waited for, none comes
def test_interrupt_ends_the_asking_at_once() -> None:
    """Ctrl-C waits for no verdict and lets nothing more be asked; verdicts so far are kept."""
    is_over = threading.Event()

    def decide(asked: Request, _: int) -> Reply:
        if asked.prompt != "0":
            is_over.wait()
        return verdict()

    with judging(decide) as server:
        threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            ask_of(server, 24, parallel=2, timeout_s=600)
        assert 3 == len(server.asked)
        is_over.set()
    assert 7.0 == answer_files.find("00" * 32)


@pytest.mark.timeout(120)  # where a verdict is waited for, none comes
def test_refusal_ends_the_asking_at_once() -> None:
    """A 401 is told while a slow question is open; no other is asked."""
    is_slow_one_open, is_over = threading.Event(), threading.Event()

    def decide(asked: Request, _: int) -> Reply:
        if asked.prompt == "1":
            is_slow_one_open.wait(60)
            return Reply(status=401)
        is_slow_one_open.set()
        is_over.wait()
        return verdict()

    with judging(decide) as server:
        with pytest.raises(ParamsError, match="HTTP status 401"):
            ask_of(server, 40, parallel=2, timeout_s=600)
        assert 2 == len(server.asked)
        is_over.set()


def test_first_question_without_a_verdict_is_named() -> None:
    """Whichever reply comes first, the fault told is that of the first item; none follow it."""

    def decide(asked: Request, _: int) -> Reply:
        waits = {"0": 0.4, "2": 0.4}
        return verdict("?" if asked.prompt in "13" else "7", wait_s=waits.get(asked.prompt, 0.2))

    with judging(decide) as server:
        with pytest.raises(ServiceError, match=r"^item 1: judge m: replied '\?', tried once"):
            ask_of(server, 20, parallel=4)
        assert 4 == len(server.asked)
    assert 7.0 == answer_files.find("00" * 32) == answer_files.find("02" * 32)


def after(seconds: int) -> dict[str, Callable[[], str]]:
    """Return how a server may ask to be left alone for some seconds."""
    return {
        "seconds": lambda: str(seconds),
        "date": lambda: format_datetime(
            datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True
        ),
    }


@pytest.mark.parametrize(("form", "seconds"), [("seconds", 1), ("date", 2)])
def test_server_that_asks_to_wait_is_left_alone(form: str, seconds: int) -> None:
    """Retry-After holds for every question: none is asked before."""
    times: list[float] = []

    def decide(asked: Request, before: int) -> Reply:
        times.append(time.perf_counter())
        busy = Reply(status=429, headers={"Retry-After": after(seconds)[form]()})
        return verdict(wait_s=0.1) if before or asked.prompt != "0" else busy

    with judging(decide) as server:
        assert [7.0] * 6 == ask_of(server, 6, retries=1, parallel=2)
    gap = max(later - earlier for earlier, later in pairwise(times))
    assert 0.85 < gap < 4  # a date has no fractions of a second


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_server_that_asks_for_hours_is_given_up(form: str) -> None:
    """It is not asked before its time, and a run does not wait for it either."""
    busy = Reply(status=503, headers={"Retry-After": after(7200)[form]()})
    with judging(lambda *_: busy) as server:
        with pytest.raises(
            ServiceError, match=r"status 503 and a wait of 7\d\d\d s .* tried once"
        ):
            ask_of(server, retries=5)
        assert 1 == len(server.asked)


@pytest.mark.parametrize(
    "wanted", ["soon", "-5", "Wed, 99 Nov 2026 00:00:00 GMT", "", "Sun, 06 Nov 1994 08:49:37 GMT"]
)
def test_wait_that_cannot_be_read_or_is_over_is_none(wanted: str) -> None:
    """The request is tried again as after any passing trouble."""
    busy = Reply(status=503, headers={"Retry-After": wanted})
    with judging(lambda _, before: verdict() if before else busy) as server:
        assert [7.0] == ask_of(server, retries=1)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(raw=b"[" * 100_000),
        Reply(raw=b"\xff\xfe"),
        Reply(raw=b"x", headers={"Content-Encoding": "gzip"}),
        Reply(body=[]),
        Reply(body={"choices": {}}),
        verdict("9" * 5000),
        Reply(body={"error": {"message": "overloaded"}}),
        verdict([{"type": "text", "text": "7"}]),
        Reply(body={"choices": []}, headers={"Content-Length": "999999"}),  # two lengths
        Reply(raw=b'{"choices": [{"message": {"content": "7"}}]'),
    ],
)
def test_garbled_reply_is_a_fault_of_the_service(reply: Reply) -> None:
    """Whatever bytes come, the message names item and judge, and the candidate may be retried."""
    with (
        judging(lambda *_: reply) as server,
        pytest.raises(ServiceError, match=r"^item 0: judge m: .*Verdicts so far are kept"),
    ):
        ask_of(server)


def test_reply_without_end_is_not_kept_in_memory() -> None:
    """Ten million bytes are enough."""
    reply = Reply(raw=json.dumps(verdict().body | {"more": "x" * 50_000_000}).encode())
    with (
        judging(lambda *_: reply) as server,
        pytest.raises(ServiceError, match="replied with more than 10,000,000 bytes, tried once"),
    ):
        ask_of(server)


def test_packed_reply_is_not_unpacked() -> None:
    """A few thousand bytes may stand for any number, and unpacking them heeds no deadline."""
    packed = gzip.compress(json.dumps(verdict().body).encode())
    reply = Reply(raw=packed, headers={"Content-Encoding": "gzip"})
    with (
        judging(lambda *_: reply) as server,
        pytest.raises(ServiceError, match="replied in the coding 'gzip', tried once"),
    ):
        ask_of(server)
    assert "identity" == server.asked[0].coding


def test_key_does_not_follow_to_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirect is refused, with its status: the other host sees neither question nor key."""
    monkeypatch.setenv("JUDGE_KEY", "sk-secret")
    with judging(lambda *_: verdict()) as other:
        target = Reply(status=307, headers={"Location": f"{other.url}/chat/completions"})
        with (
            judging(lambda *_: target) as server,
            pytest.raises(ParamsError, match=r"HTTP status 307\. Check url") as refusal,
        ):
            ask_of(server, api_key_env="JUDGE_KEY")
        assert [] == other.asked
        assert f"sends requests on to '{other.url}', where they are not sent" in str(refusal.value)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "the connection broke off|the server's reply is broken off"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "the server's reply is broken off, or is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "the server's reply is broken off"),
    ],
)
def test_connection_that_breaks_off_is_told_in_words(raw: bytes, words: str) -> None:
    """A server that hangs up, speaks no HTTP or stops half-way is told without a class's name."""
    with (
        answering_once(raw) as url,
        pytest.raises(ServiceError, match=f"^item 0: judge m: ({words})") as fault,
    ):
        ask(*asked_of(url))
    assert "Error" not in str(fault.value)


@pytest.mark.parametrize("url", ["http://host:99999/v1", "http://:80/v1", "http://host:0/v1"])
def test_address_that_cannot_be_one_is_refused(url: str) -> None:
    """A port out of range, and an address without a host, are faults of the params."""
    with pytest.raises(ValidationError, match=r"url\n.*(Port out of range|names no host)"):
        JudgeParams(url=url, model="m", prompt="{{ response }}")
