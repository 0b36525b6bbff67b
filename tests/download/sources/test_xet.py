"""Files that the hub keeps in Xet's storage: through it, or by plain HTTP where that is asked."""

import shutil
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from stages.errors import CheckpointError
from stages.hashing import file_hash
from tests.download.conftest import params, run
from tests.hub_server import HubHandler, HubServer

OUT = Path("data/parents")
WEIGHTS = "model.safetensors"
CHUNK_BYTES = 8_000


class StorageHandler(HubHandler):
    """A hub with Xet's storage next to it, which has one file, in chunks."""

    data: bytes
    has_tokens: bool
    tokens: list[tuple[str, str | None]]

    def _answer(self, *, with_body: bool) -> None:
        path = urlsplit(self.path).path
        if path == "/api/xet-read-token":
            self._tokens()
        elif path.startswith("/v1/reconstructions/"):
            self._note(path)
            self._json(self._plan())
        elif path == "/chunks":
            self._note(path)
            self._chunks()
        else:
            super()._answer(with_body=with_body)

    def _note(self, path: str) -> None:
        self.tokens.append((path, self.headers.get("Authorization")))

    def _tokens(self) -> None:
        headers = {
            "X-Xet-Cas-Url": self.hub.url,
            "X-Xet-Access-Token": "xet-token",
            "X-Xet-Token-Expiration": str(int(time.time()) + 3600),
        }
        self._refuse(200, "", headers if self.has_tokens else {})

    def _plan(self) -> dict[str, object]:
        chunks = range(0, len(self.data), CHUNK_BYTES)
        name = sha256(self.data).hexdigest()
        span = {"start": 0, "end": len(chunks)}
        last_byte = len(self.data) + 8 * len(chunks) - 1
        part = {
            "range": span,
            "url": f"{self.hub.url}/chunks",
            "url_range": {"start": 0, "end": last_byte},
        }
        return {
            "offset_into_first_range": 0,
            "terms": [{"hash": name, "unpacked_length": len(self.data), "range": span}],
            "fetch_info": {name: [part]},
        }

    def _chunks(self) -> None:
        """Send each chunk after its header: version, bytes packed, packing, bytes unpacked."""
        body = b""
        for first in range(0, len(self.data), CHUNK_BYTES):
            chunk = self.data[first : first + CHUNK_BYTES]
            size = len(chunk).to_bytes(3, "little")
            body += b"\0" + size + b"\0" + size + chunk
        self.send_response(206)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Range", f"bytes 0-{len(body) - 1}/{len(body)}")
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def storage(
    hub: HubServer, pico: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[type[StorageHandler]]:
    """Return the handler of a hub that has org/math's weights in Xet's storage."""
    assert hub.url  # its settings hold here too; its address does not
    data = (pico["math"] / WEIGHTS).read_bytes()
    monkeypatch.setattr(StorageHandler, "data", data, raising=False)
    monkeypatch.setattr(StorageHandler, "has_tokens", True, raising=False)
    monkeypatch.setattr(StorageHandler, "tokens", [], raising=False)
    with HubServer(StorageHandler) as server:
        server.names_xet = True
        server.push("org/math", pico["math"])
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield StorageHandler


@pytest.fixture(autouse=True)
def _waits_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.mark.usefixtures("project")
def test_xet_switched_off_means_plain_http(
    hub: HubServer, pico: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With HF_HUB_DISABLE_XET the hub sends the file itself; one that was cut goes on."""
    hub.push("org/math", pico["math"])
    hub.names_xet = True
    hub.cut_after[WEIGHTS] = [1000]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    run(params(math="org/math@main"), OUT)
    assert file_hash(pico["math"] / WEIGHTS) == file_hash(OUT / "math" / WEIGHTS)


@pytest.mark.usefixtures("project")
def test_xet_that_does_not_answer_is_one_error(hub: HubServer, pico: dict[str, Path]) -> None:
    """The message names the model and the variable that does without it; no part is left."""
    hub.push("org/math", pico["math"])
    hub.names_xet = True
    with pytest.raises(CheckpointError) as caught:
        run(params(math="org/math@main"), OUT)
    said = str(caught.value)
    assert "org/math" in said
    assert "HF_HUB_DISABLE_XET=1" in said
    assert not OUT.exists()
    hub.names_xet = False
    run(params(math="org/math@main"), OUT)
    assert file_hash(pico["math"] / WEIGHTS) == file_hash(OUT / "math" / WEIGHTS)


@pytest.mark.usefixtures("project")
def test_a_file_comes_through_xet(
    storage: type[StorageHandler],
    pico: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """By its chunks, with the storage's token and not the hub's, and nothing said meanwhile."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    capfd.readouterr()
    run(params(math="org/math@main"), OUT)
    assert file_hash(pico["math"] / WEIGHTS) == file_hash(OUT / "math" / WEIGHTS)
    assert {path.split("/")[1] for path, _ in storage.tokens} == {"v1", "chunks"}
    assert not any("hf_secret" in str(token) for _, token in storage.tokens)
    assert ("", "") == capfd.readouterr()


@pytest.mark.usefixtures("project")
def test_wrong_bytes_from_xet_are_refused(
    storage: type[StorageHandler], pico: dict[str, Path]
) -> None:
    """Its client compares no hash: bytes of the right number are compared here, and not kept."""
    right = storage.data
    storage.data = right[:-4] + b"\1\2\3\4"
    with pytest.raises(CheckpointError, match=rf"{WEIGHTS} has another SHA-256 than the hub"):
        run(params(math="org/math@main"), OUT)
    assert not OUT.exists()
    storage.data = right
    run(params(math="org/math@main"), OUT)
    assert file_hash(pico["math"] / WEIGHTS) == file_hash(OUT / "math" / WEIGHTS)
    shutil.rmtree(OUT)


@pytest.mark.usefixtures("project")
def test_hub_that_gives_no_token_for_xet_is_one_error(storage: type[StorageHandler]) -> None:
    """It is said with the way around."""
    storage.has_tokens = False
    with pytest.raises(CheckpointError, match=r"headers .* HF_HUB_DISABLE_XET=1"):
        run(params(math="org/math@main"), OUT)
    assert not OUT.exists()
