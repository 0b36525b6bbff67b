"""Hubs, mirrors and proxies that answer, but with something else: one line, and no half model."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from stages.errors import CheckpointError
from stages.hashing import file_hash
from tests.download.conftest import params, run
from tests.hub_server import Busy, HubHandler, HubServer

OUT = Path("data/parents")
WEIGHTS = "model.safetensors"
NOT_A_HUB = "answers, but not as a hub does"


class _OddHandler(HubHandler):
    """Answers as ``odd`` says, where it returns (status, headers, body); else as a hub."""

    odd: Callable[["_OddHandler"], tuple[int, dict[str, str], bytes] | None]

    def _answer(self, *, with_body: bool) -> None:
        answer = type(self).odd(self)
        if answer is None:
            super()._answer(with_body=with_body)
            return
        status, headers, body = answer
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)
        self.close_connection = "Content-Length" in headers

    def is_of(self, *parts: str) -> bool:
        """Return whether the request's address holds all of ``parts``."""
        return all(part in self.path for part in parts)


Odd = Callable[[_OddHandler], tuple[int, dict[str, str], bytes] | None]


def _nothing(_: _OddHandler) -> None:
    return None


@pytest.fixture
def hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pico: dict[str, Path]
) -> Iterator[HubServer]:
    """A hub that has org/math, and an empty cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(_OddHandler, "odd", _nothing, raising=False)
    with HubServer(_OddHandler) as server:
        server.push("org/math", pico["math"])
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def fails(odd: Odd = _nothing) -> str:
    """Return the one line that a download ends with; it leaves no model."""
    _OddHandler.odd = odd
    with pytest.raises(CheckpointError) as caught:
        run(params(math="org/math@main"), OUT)
    assert 1 == len(str(caught.value).splitlines())
    assert "download.parents.math: org/math@" in str(caught.value)
    assert not OUT.exists()
    return str(caught.value)


def works(pico: dict[str, Path], odd: Odd = _nothing, source: str = "org/math@main") -> None:
    """Download, and compare every byte of the weights and of config.json."""
    _OddHandler.odd = odd
    run(params(math=source), OUT)
    for name in (WEIGHTS, "config.json", "tokenizer.json"):
        assert file_hash(pico["math"] / name) == file_hash(OUT / "math" / name)


pytestmark = pytest.mark.usefixtures("project", "waits", "hub")


@pytest.mark.parametrize("body", [b"<html>Log in</html>", b"[]", b"{}", b"null", b'{"id": "org/m'])
def test_listing_that_is_not_the_hubs_is_said(pico: dict[str, Path], body: bytes) -> None:
    """A captive portal, a proxy's page or half an answer ends in one line; the next try works."""
    said = fails(lambda h: (200, {}, body) if h.is_of("/api/models/") else None)
    assert f"{NOT_A_HUB}: its answer is not the JSON that a hub sends" in said
    works(pico)


@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
def test_page_in_the_place_of_a_file_is_never_a_file(pico: dict[str, Path], name: str) -> None:
    """A page with status 200 and no ETag does not pass for weights, nor for a config."""
    said = fails(lambda h: (200, {}, b"<html>Log in</html>") if h.is_of("resolve", name) else None)
    assert f"{NOT_A_HUB}: it names no commit, ETag or size" in said
    works(pico)


@pytest.mark.parametrize("is_whole", [False, True])
@pytest.mark.parametrize("status", [301, 307, 308])
def test_renamed_repository_is_followed(
    hub: HubServer, pico: dict[str, Path], status: int, *, is_whole: bool
) -> None:
    """By a relative address or a whole one, for questions and for files."""
    hub.repos["org/new"] = hub.repos.pop("org/math")

    def moved(h: _OddHandler) -> tuple[int, dict[str, str], bytes] | None:
        new = (hub.url if is_whole else "") + h.path.replace("org/math", "org/new")
        return (status, {"Location": new}, b"") if h.is_of("org/math") else None

    works(pico, moved)


def test_token_does_not_follow_to_another_host(
    hub: HubServer, pico: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Questions and files that are sent elsewhere are asked there without it."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with HubServer() as other:
        other.push("org/math", pico["math"])
        fails(lambda h: (302, {"Location": other.url + h.path}, b""))
        assert other.requests
        assert not any(request.has_token for request in other.requests)
    works(pico)
    assert any(request.has_token for request in hub.requests)


def test_circle_of_redirects_is_said(pico: dict[str, Path]) -> None:
    """It ends after some turns, and is not called a server that does not answer."""
    assert f"{NOT_A_HUB}: Exceeded maximum" in fails(lambda h: (307, {"Location": h.path}, b""))
    works(pico)


@pytest.mark.parametrize("revision", ["refs/pr/1", "feature/long.name", "v1.0/rc_2"])
def test_revision_may_have_slashes(hub: HubServer, pico: dict[str, Path], revision: str) -> None:
    """Pull requests and branches with folders in their names are found, and found again."""
    commit = hub.push("org/math", pico["math"], name=revision)
    works(pico, source=f"org/math@{revision}")
    assert f"org/math@{revision}: {commit}" in Path("parents.lock").read_text(encoding="utf-8")
    shutil.rmtree(OUT)
    works(pico, source=f"org/math@{revision}")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_small_file_of_wrong_bytes_does_not_stay(
    hub: HubServer, pico: dict[str, Path], name: str
) -> None:
    """Its ETag is git's hash: bytes of the right number that are not those are asked for again."""
    hub.sent[name] = (pico["math"] / name).read_bytes().replace(b"1", b"2")
    assert f"{name} has other content than the hub lists" in fails()
    hub.sent.clear()
    works(pico)


def _date(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("subject", ["api", WEIGHTS])
def test_date_in_retry_after_is_waited_for(
    hub: HubServer, pico: dict[str, Path], waits: list[float], subject: str
) -> None:
    """A date counts as the seconds until then; one that is past or unreadable as none."""
    hub.busy[subject] = [
        *(Busy(429, {"Retry-After": _date(40)}), Busy(429, {"Retry-After": _date(-40)})),
        Busy(503, {"Retry-After": "soon"}),
    ]
    works(pico)
    assert [40, 2, 4] == [round(wait, -1) if wait > 30 else wait for wait in waits]


def test_wait_of_a_day_is_left_to_the_user(
    hub: HubServer, pico: dict[str, Path], waits: list[float]
) -> None:
    """A file that is refused until tomorrow ends the run, with the time that it asks for."""
    hub.busy[WEIGHTS] = [Busy(429, {"Retry-After": "86400"})]
    assert "answered 429. Wait 86400 s, as it asks" in fails()
    assert [] == waits
    works(pico)


def test_branch_that_moves_meanwhile_is_one_commit(hub: HubServer, pico: dict[str, Path]) -> None:
    """All files are of the commit that was there when the branch was asked for."""

    def moves(h: _OddHandler) -> None:
        if h.is_of("resolve"):
            hub.push("org/math", pico["lang"])

    works(pico, moves)


@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
@pytest.mark.parametrize("more", [100, -100])
def test_length_that_is_wrong_leaves_no_file(
    hub: HubServer, pico: dict[str, Path], name: str, more: int
) -> None:
    """A Content-Length above or below what is sent is a transfer that broke off."""
    (files,) = hub.repos["org/math"].commits.values()

    def lies(h: _OddHandler) -> tuple[int, dict[str, str], bytes] | None:
        if h.command != "GET" or not h.is_of("resolve", name):
            return None
        return 200, {"Content-Length": str(len(files[name]) + more)}, files[name]

    assert "broke off" in fails(lies)
    works(pico)


def test_server_without_ranges_sends_the_whole_again(
    hub: HubServer, pico: dict[str, Path]
) -> None:
    """What was there of a file that was cut is not put before the whole."""
    hub.cut_after[WEIGHTS] = [5000]

    def forgets(h: _OddHandler) -> None:
        del h.headers["Range"]

    works(pico, forgets)


def test_mirror_of_another_commit_is_said(hub: HubServer, pico: dict[str, Path]) -> None:
    """A file that names another commit than was asked for is not taken."""
    asked = hub.repos["org/math"].names["main"]
    other = hub.push("org/math", pico["lang"], name="other")

    def of_other(h: _OddHandler) -> None:
        h.path = h.path.replace(f"resolve/{asked}", f"resolve/{other}")

    assert f"at {asked}, it answers of {other}" in fails(of_other)
    works(pico)


def test_gate_may_stand_before_the_files_alone(pico: dict[str, Path]) -> None:
    """As on the hub, a gated repository is listed to all, and its files are refused."""
    gate = (403, {"X-Error-Code": "GatedRepo"}, b"")
    assert "gated. Accept its terms" in fails(lambda h: gate if h.is_of("resolve") else None)
    assert "gated. Accept its terms" in fails(lambda h: gate if h.is_of(WEIGHTS) else None)
    works(pico)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (402, "answered 402 (Payment Required), as it will again. Check HF_ENDPOINT"),
        (404, "answered 404: no such repository, or not a hub"),
        (410, "answered 410 (Gone), as it will again"),
        (451, "answered 451 (Unavailable For Legal Reasons), as it will again"),
        (499, "answered 499 (a status of its own), as it will again"),
        (524, "answered 524, 5 times. Wait, and run again"),
    ],
)
def test_status_has_the_advice_that_fits(pico: dict[str, Path], status: int, words: str) -> None:
    """Nobody is told to wait for what stays."""
    assert words in fails(lambda _: (status, {}, b""))
    works(pico)


def test_disabled_repository_is_called_so() -> None:
    """It is not for want of a token."""
    said = {"X-Error-Message": "Access to this resource is disabled."}
    assert "the repository was disabled" in fails(lambda _: (403, said, b""))
